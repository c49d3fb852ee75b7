//! The settings of a load or a run: go-ycsb's properties with their names and defaults, checked.
//!
//! In: [`Properties`]. Out: [`Settings`], or one sentence that names the property to change. A
//! property of go-ycsb that is not implemented here is refused, not ignored.

use super::properties::Properties;
use failure::Failure;
use std::time::Duration;

/// Prefixes of properties about other databases; those are ignored, as in go-ycsb.
const OTHER_DATABASES: [&str; 16] = [
    "mysql.",
    "tidb.",
    "fdb.",
    "pg.",
    "aerospike.",
    "badger.",
    "rocksdb.",
    "spanner.",
    "sqlite.",
    "cassandra.",
    "mongodb.",
    "redis.",
    "bolt.",
    "bbolt.",
    "etcd.",
    "dynamodb.",
];
/// Properties of go-ycsb that change its work or output and are not implemented here, with the
/// values that change nothing. Any other value is refused: if it were ignored, the run would not be
/// the requested one.
const NOT_HERE: [(&str, &[&str]); 12] = [
    ("warmuptime", &["0"]),
    ("outputstyle", &["", "plain"]),
    ("measurement.output_file", &[""]),
    ("histogram.percentiles.export", &["false"]),
    ("histogram.percentiles.export.filepath", &[""]),
    ("exporter", &[""]),
    ("exportfile", &[""]),
    ("dropdata", &["false"]),
    ("fieldlengthhistogram", &[]),
    ("exponential.percentile", &[]),
    ("exponential.frac", &[]),
    ("verbose", &["false"]),
];
/// The known names; any other is likely misspelt.
const KNOWN: [&str; 46] = [
    "insertstart",
    "insertcount",
    "operationcount",
    "recordcount",
    "workload",
    "db",
    "threadcount",
    "target",
    "maxexecutiontime",
    "dotransactions",
    "command",
    "status",
    "label",
    "batch.size",
    "table",
    "fieldcount",
    "fieldlengthdistribution",
    "fieldlength",
    "readallfields",
    "writeallfields",
    "dataintegrity",
    "readproportion",
    "updateproportion",
    "insertproportion",
    "scanproportion",
    "readmodifywriteproportion",
    "requestdistribution",
    "zeropadding",
    "minscanlength",
    "maxscanlength",
    "scanlengthdistribution",
    "insertorder",
    "hotspotdatafraction",
    "hotspotopnfraction",
    "core_workload_insertion_retry_limit",
    "core_workload_insertion_retry_interval",
    "debug.pprof",
    "silence",
    "keyprefix",
    "measurement.interval",
    "measurementtype",
    "tikv.pd",
    "tikv.type",
    "tikv.apiversion",
    "tikv.conncount",
    "tikv.batchsize",
];

/// The largest entry that TiKV takes (`raft-entry-max-size`), bytes.
const ROW_BYTES_MAX: u64 = 8 << 20;

/// The distribution of lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lengths {
    /// Always the longest.
    Constant,
    /// Every length as likely as any other.
    Uniform,
    /// Mostly short.
    Zipfian,
}

/// The distribution of requests over the records.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Requests {
    /// Every record as likely as any other.
    Uniform,
    /// One after the other.
    Sequential,
    /// A few get most of the traffic, spread over all.
    Zipfian,
    /// The newest get most of the traffic.
    Latest,
    /// A fraction of the records gets a fraction of the traffic.
    Hotspot {
        /// The fraction of the records, from the first on.
        data: f64,
        /// The fraction of the traffic.
        operations: f64,
    },
}

/// The weight of each operation, relative to the sum of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportions {
    /// Reads.
    pub read: f64,
    /// Updates.
    pub update: f64,
    /// Inserts.
    pub insert: f64,
    /// Scans.
    pub scan: f64,
    /// Reads followed by an update.
    pub read_modify_write: f64,
}

/// All settings of a load or a run.
#[expect(clippy::struct_excessive_bools, reason = "each is a property of go-ycsb")]
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The beginning of every key, before a colon.
    pub table: String,
    /// The part of a key after the colon.
    pub key_prefix: String,
    /// The least number of digits.
    pub zero_padding: usize,
    /// True if keys have the record's number itself instead of its hash.
    pub ordered: bool,
    /// The number of columns in a row.
    pub field_count: u32,
    /// The longest value, bytes.
    pub field_length: usize,
    /// The distribution of values' lengths.
    pub field_lengths: Lengths,
    /// True if an update writes all columns, not one.
    pub write_all_fields: bool,
    /// True if values can be computed again, and are compared when they are read.
    pub data_integrity: bool,
    /// The number of records before the run.
    pub record_count: u64,
    /// The first record.
    pub insert_start: u64,
    /// The number of records, from the first on.
    pub insert_count: u64,
    /// The weights of the operations.
    pub proportions: Proportions,
    /// The distribution of requests over the records.
    pub requests: Requests,
    /// The shortest scan, records.
    pub scan_length_min: u64,
    /// The longest scan, records.
    pub scan_length_max: u64,
    /// The distribution of scans' lengths.
    pub scan_lengths: Lengths,
    /// The number of operations; 0 = until the time is over.
    pub operation_count: u64,
    /// The number of concurrent threads.
    pub threads: u64,
    /// Operations a second over all threads; `None` = unlimited.
    pub target: Option<u64>,
    /// The longest the run may take.
    pub max_execution_time: Option<Duration>,
    /// The interval of the reports.
    pub interval: Duration,
    /// The number of retries for a record that could not be inserted; `None` = our own default.
    pub insert_retries: Option<u32>,
    /// The approximate pause before a retry.
    pub insert_retry_interval: Duration,
    /// True if errors are counted, but not printed one by one.
    pub silence: bool,
}

impl Settings {
    /// Reads the properties of a load (`loads`) or a run.
    pub fn of(properties: &Properties, loads: bool) -> Result<Self, Failure> {
        refuse_unsupported(properties)?;
        let record_count: u64 = properties.number("recordcount", 0)?;
        let insert_start: u64 = properties.number("insertstart", 0)?;
        let insert_count =
            properties.number("insertcount", record_count.saturating_sub(insert_start))?;
        let threads: u64 = properties.number("threadcount", 1)?;
        let seconds = |name, default| properties.number(name, default).map(Duration::from_secs);
        let max_execution_time = Some(seconds("maxexecutiontime", 0)?).filter(|it| !it.is_zero());
        let retries: i64 = properties.number("core_workload_insertion_retry_limit", -1)?;
        let settings = Self {
            table: properties.text("table", "usertable"),
            key_prefix: properties.text("keyprefix", "user"),
            zero_padding: properties.number::<u8>("zeropadding", 1)?.into(),
            ordered: properties.text("insertorder", "hashed") != "hashed",
            field_count: properties.number("fieldcount", 10)?,
            field_length: properties.number("fieldlength", 100)?,
            field_lengths: lengths(properties, "fieldlengthdistribution", "constant")?,
            write_all_fields: properties.switch("writeallfields", false)?,
            data_integrity: properties.switch("dataintegrity", false)?,
            record_count,
            insert_start,
            insert_count,
            proportions: proportions(properties)?,
            requests: requests(properties)?,
            scan_length_min: properties.number("minscanlength", 1)?,
            scan_length_max: properties.number("maxscanlength", 1000)?,
            scan_lengths: lengths(properties, "scanlengthdistribution", "uniform")?,
            operation_count: if loads {
                insert_count
            } else {
                properties.number("operationcount", 0)?
            },
            threads,
            target: Some(properties.number("target", 0)?).filter(|target| *target > 0),
            max_execution_time,
            interval: seconds("measurement.interval", 10)?,
            insert_retries: u32::try_from(retries).ok(),
            insert_retry_interval: seconds("core_workload_insertion_retry_interval", 3)?,
            silence: properties.switch("silence", true)?,
        };
        settings.check(loads)?;
        Ok(settings)
    }

    fn check(&self, loads: bool) -> Result<(), Failure> {
        let refuse = |sentence: String| Err(Failure::usage(sentence));
        if self.record_count == 0 {
            return refuse("recordcount is 0: say how many records there are, for example -p recordcount=10000".into());
        }
        if self.insert_count == 0 || self.insert_start + self.insert_count > self.record_count {
            return refuse(format!(
                "record count {} must be bigger than insert start {} + count {}",
                self.record_count, self.insert_start, self.insert_count
            ));
        }
        if self.threads == 0 {
            return refuse("threadcount is 0: use 1 or more".into());
        }
        let until_time_is_over =
            !loads && self.operation_count == 0 && self.max_execution_time.is_some();
        if self.operation_count < self.threads && !until_time_is_over {
            return refuse(format!(
                "totalOpCount(operationcount/insertcount/recordcount): {} should be bigger than threadCount: {}",
                self.operation_count, self.threads
            ));
        }
        if self.interval.is_zero() {
            return refuse("measurement.interval is 0: give whole seconds, for example 10".into());
        }
        if self.field_count == 0 || self.field_length == 0 {
            return refuse("fieldcount and fieldlength must be 1 or more".into());
        }
        if u64::from(self.field_count).saturating_mul(self.field_length as u64) > ROW_BYTES_MAX {
            return refuse(format!(
                "fieldcount {} with fieldlength {} is a row of more than {ROW_BYTES_MAX} bytes: TiKV refuses such values",
                self.field_count, self.field_length
            ));
        }
        if self.data_integrity && self.field_lengths != Lengths::Constant {
            return refuse("must have constant field size to check data integrity".into());
        }
        if self.scan_length_min == 0 || self.scan_length_min > self.scan_length_max {
            return refuse(format!(
                "minscanlength {} and maxscanlength {} must be 1 or more, the first not above the second",
                self.scan_length_min, self.scan_length_max
            ));
        }
        Ok(())
    }

    /// Returns the last record that requests are drawn from at first, for go-ycsb's line about it.
    pub fn last_record(&self) -> u64 {
        let last = self.insert_start + self.insert_count - 1;
        match self.requests {
            // Inserts are expected, and new records are drawn once they exist.
            Requests::Zipfian => {
                last + 1 + (self.operation_count as f64 * self.proportions.insert * 2.0) as u64
            }
            _ => last,
        }
    }
}

/// Returns the unknown names, which are likely misspelt.
pub fn unknown_names(properties: &Properties) -> Vec<&str> {
    let foreign = |name: &str| OTHER_DATABASES.iter().any(|other| name.starts_with(other));
    properties
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !KNOWN.contains(name) && !foreign(name))
        .filter(|name| !NOT_HERE.iter().any(|(known, _)| known == name))
        .collect()
}

fn refuse_unsupported(properties: &Properties) -> Result<(), Failure> {
    let only = |name: &str, wanted: &[&str], why: &str| match properties.get(name) {
        Some(value) if !wanted.iter().any(|it| it.eq_ignore_ascii_case(value)) => {
            Err(Failure::usage(format!("property {name}={value}: {why}")))
        }
        _ => Ok(()),
    };
    only("tikv.type", &["raw"], "only the raw API is supported, use tikv.type=raw")?;
    only("tikv.apiversion", &["V1"], "only API version V1 is supported, use tikv.apiversion=V1")?;
    only("batch.size", &["1"], "batches are not supported, use batch.size=1")?;
    only("db", &["tikv"], "the only database here is tikv")?;
    for (name, harmless) in NOT_HERE {
        only(name, harmless, "go-ycsb has this property, jepsen-tikv has not; leave it out")?;
    }
    only(
        "measurementtype",
        &["histogram"],
        "only measurementtype=histogram is supported; a run's raw data is its history, see jepsen-tikv test",
    )?;
    only(
        "workload",
        &["core", "site.ycsb.workloads.CoreWorkload", "com.yahoo.ycsb.workloads.CoreWorkload"],
        "only the core workload is supported, use workload=core",
    )
}

fn lengths(properties: &Properties, name: &str, default: &str) -> Result<Lengths, Failure> {
    match properties.text(name, default).to_ascii_lowercase().as_str() {
        "constant" => Ok(Lengths::Constant),
        "uniform" => Ok(Lengths::Uniform),
        "zipfian" => Ok(Lengths::Zipfian),
        other => Err(Failure::usage(format!(
            "property {name}={other}: use constant, uniform or zipfian"
        ))),
    }
}

fn requests(properties: &Properties) -> Result<Requests, Failure> {
    let fraction = |name, default| {
        let fraction: f64 = properties.number(name, default)?;
        if (0.0..=1.0).contains(&fraction) {
            return Ok(fraction);
        }
        Err(Failure::usage(format!("property {name}={fraction}: use a fraction from 0 to 1")))
    };
    match properties.text("requestdistribution", "uniform").as_str() {
        "uniform" => Ok(Requests::Uniform),
        "sequential" => Ok(Requests::Sequential),
        "zipfian" => Ok(Requests::Zipfian),
        "latest" => Ok(Requests::Latest),
        "hotspot" => Ok(Requests::Hotspot {
            data: fraction("hotspotdatafraction", 0.2)?,
            operations: fraction("hotspotopnfraction", 0.8)?,
        }),
        other => Err(Failure::usage(format!(
            "unknown request distribution {other}: use uniform, zipfian, latest, sequential or hotspot"
        ))),
    }
}

fn proportions(properties: &Properties) -> Result<Proportions, Failure> {
    let share = |name, default| {
        let share: f64 = properties.number(name, default)?;
        if share >= 0.0 && share.is_finite() {
            return Ok(share);
        }
        Err(Failure::usage(format!("property {name}={share}: a proportion is 0 or more")))
    };
    let proportions = Proportions {
        read: share("readproportion", 0.95)?,
        update: share("updateproportion", 0.05)?,
        insert: share("insertproportion", 0.0)?,
        scan: share("scanproportion", 0.0)?,
        read_modify_write: share("readmodifywriteproportion", 0.0)?,
    };
    let Proportions { read, update, insert, scan, read_modify_write } = proportions;
    if read + update + insert + scan + read_modify_write <= 0.0 {
        return Err(Failure::usage("all proportions are 0: nothing would be done"));
    }
    Ok(proportions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[&str], loads: bool) -> Result<Settings, Failure> {
        let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        Settings::of(&Properties::gather(&[], &pairs).expect("pairs"), loads)
    }

    #[test]
    fn defaults_are_go_ycsbs() {
        let load = settings(&["recordcount=10000"], true).expect("usable");
        assert_eq!((load.table.as_str(), load.key_prefix.as_str()), ("usertable", "user"));
        assert_eq!((load.field_count, load.field_length, load.zero_padding), (10, 100, 1));
        assert_eq!((load.operation_count, load.threads), (10_000, 1));
        assert_eq!(load.interval, Duration::from_secs(10));
        assert!(!load.ordered && load.silence && !load.write_all_fields && !load.data_integrity);
        let run = settings(&["recordcount=5", "operationcount=9"], false).expect("usable");
        assert_eq!((run.proportions.read, run.proportions.update), (0.95, 0.05));
        assert_eq!((run.requests, run.operation_count), (Requests::Uniform, 9));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_the_property_named() {
        for (pairs, named) in [
            (vec![], "recordcount"),
            (vec!["recordcount=10", "threadcount=0"], "threadcount"),
            (vec!["recordcount=10", "threadcount=11"], "threadCount"),
            (vec!["recordcount=10", "insertstart=8", "insertcount=3"], "insert start"),
            (vec!["recordcount=10", "tikv.type=txn"], "tikv.type"),
            (vec!["recordcount=10", "tikv.apiversion=V2"], "tikv.apiversion"),
            (vec!["recordcount=10", "batch.size=10"], "batch.size"),
            (vec!["recordcount=10", "requestdistribution=exponential"], "request distribution"),
            (vec!["recordcount=10", "readproportion=-1"], "readproportion"),
            (
                vec!["recordcount=10", "dataintegrity=true", "fieldlengthdistribution=uniform"],
                "constant",
            ),
            (vec!["recordcount=x"], "recordcount"),
            (vec!["recordcount=10", "warmuptime=5"], "warmuptime=5"),
            (vec!["recordcount=10", "outputstyle=json"], "outputstyle=json"),
            (vec!["recordcount=10", "exportfile=x.txt"], "exportfile=x.txt"),
            (vec!["recordcount=10", "measurement.output_file=x"], "measurement.output_file=x"),
            (
                vec!["recordcount=10", "histogram.percentiles.export=true"],
                "percentiles.export=true",
            ),
            (vec!["recordcount=10", "dropdata=true"], "dropdata=true"),
            (vec!["recordcount=10", "exponential.frac=0.5"], "exponential.frac=0.5"),
        ] {
            let failure = settings(&pairs, true).expect_err(named);
            assert!(failure.sentence.contains(named), "{named}: {failure}");
        }
        let harmless = ["recordcount=10", "warmuptime=0", "outputstyle=plain", "dropdata=false"];
        assert!(settings(&harmless, true).is_ok(), "what changes nothing passes");
        assert!(settings(&["recordcount=10"], false).is_err(), "no operationcount");
        let timed = settings(&["recordcount=10", "maxexecutiontime=5"], false);
        assert!(timed.is_ok(), "until the time is over");
    }

    #[test]
    fn a_misspelt_name_is_found() {
        let pairs = ["recordcuont=5".to_owned(), "mysql.host=x".into(), "table=t".into()];
        let properties = Properties::gather(&[], &pairs).expect("pairs");
        assert_eq!(unknown_names(&properties), ["recordcuont"]);
    }
}
