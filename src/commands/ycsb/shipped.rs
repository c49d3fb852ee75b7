//! The workloads that YCSB and go-ycsb ship, so that `-P workloada` needs no file.
//!
//! In: a name. Out: its properties in the file's format. A file of that name wins. Some versions of
//! go-ycsb have `requestdistribution=zipfian` where this has `uniform`; `-p requestdistribution=…`
//! decides it.

/// Returns the contents of the workload of that name.
pub fn workload(name: &str) -> Option<&'static str> {
    Some(match name {
        // Update heavy: half reads, half updates.
        "workloada" => {
            "recordcount=1000\noperationcount=1000\nworkload=core\nreadallfields=true\nreadproportion=0.5\n\
             updateproportion=0.5\nscanproportion=0\ninsertproportion=0\nrequestdistribution=uniform\n"
        }
        // Read mostly.
        "workloadb" => {
            "recordcount=1000\noperationcount=1000\nworkload=core\nreadallfields=true\nreadproportion=0.95\n\
             updateproportion=0.05\nscanproportion=0\ninsertproportion=0\nrequestdistribution=uniform\n"
        }
        // Read only.
        "workloadc" => {
            "recordcount=1000\noperationcount=1000\nworkload=core\nreadallfields=true\nreadproportion=1\n\
             updateproportion=0\nscanproportion=0\ninsertproportion=0\nrequestdistribution=uniform\n"
        }
        // Read latest: new records are inserted, and the newest are read most.
        "workloadd" => {
            "recordcount=1000\noperationcount=1000\nworkload=core\nreadallfields=true\nreadproportion=0.95\n\
             updateproportion=0\nscanproportion=0\ninsertproportion=0.05\nrequestdistribution=latest\n"
        }
        // Short ranges.
        "workloade" => {
            "recordcount=1000\noperationcount=1000\nworkload=core\nreadallfields=true\nreadproportion=0\n\
             updateproportion=0\nscanproportion=0.95\ninsertproportion=0.05\nrequestdistribution=uniform\n\
             maxscanlength=100\nscanlengthdistribution=uniform\n"
        }
        // Read-modify-write.
        "workloadf" => {
            "recordcount=1000\noperationcount=1000\nworkload=core\nreadallfields=true\nreadproportion=0.5\n\
             updateproportion=0\nscanproportion=0\ninsertproportion=0\nreadmodifywriteproportion=0.5\n\
             requestdistribution=uniform\n"
        }
        _ => return None,
    })
}
