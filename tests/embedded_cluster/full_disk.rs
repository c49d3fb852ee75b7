//! A disk that fills up: writes are refused, reads go on, and with room again everything does.
//!
//! The disk is a small tmpfs, which only root can mount; where it cannot be, a line says so.

use super::{
    cluster::{Cluster, PATIENCE},
    durability::{OP_TIMEOUT, client, lost, put_of},
};
use client::{Outcome, RawKv, Request, Response};
use std::{
    collections::BTreeSet,
    fs::File,
    io::Write,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Stores refuse writes below 32 MiB.
const LEFT_BYTES: u64 = 16 << 20;

struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Result<Self, String> {
        let dir = tempfile::tempdir().expect("a folder");
        let mount = ["-t", "tmpfs", "-o", "size=256m", "jepsen-tikv-test"];
        let mounted = Command::new("mount").args(mount).arg(dir.path()).output();
        match mounted {
            Err(error) => Err(format!("mount: {error}")),
            Ok(done) if done.status.success() => Ok(Self(dir)),
            Ok(done) => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills the disk but for a rest that is too little for stores.
    fn fill(&self) -> std::path::PathBuf {
        let path = self.path().join("filler");
        let mut filler = File::create(&path).expect("there is room");
        let room = || {
            let disk = nix::sys::statvfs::statvfs(self.path()).expect("it is mounted");
            disk.blocks_available() * disk.fragment_size()
        };
        while room() > LEFT_BYTES {
            filler.write_all(&vec![1; 1 << 20]).expect("there is room");
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that has just been killed may still hold a file.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Puts fresh keys until one ends as wanted; those that were acknowledged are noted.
async fn put_until(
    pd: &str,
    name: &str,
    written: &mut BTreeSet<String>,
    wanted: impl Fn(&Outcome) -> bool,
) {
    let client = client(pd);
    let deadline = Instant::now() + PATIENCE;
    for number in 0.. {
        let key = format!("{name}:{number}");
        let outcome = client.execute(&put_of(&key), OP_TIMEOUT).await.outcome;
        if let Outcome::Ok(_) = outcome {
            written.insert(key);
        }
        if wanted(&outcome) {
            return;
        }
        assert!(Instant::now() < deadline, "{name}: at last {outcome:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_full_disk_refuses_writes_and_recovers() {
    let disk = match SmallDisk::mount() {
        Ok(disk) => disk,
        Err(reason) => {
            eprintln!("skipped: no small disk can be mounted here: {reason}");
            return;
        }
    };
    let runtime = Runtime::new().expect("a runtime");
    let mut cluster = Cluster::start_in(disk.path());
    let mut written = BTreeSet::new();
    runtime.block_on(put_until(&cluster.pd, "before", &mut written, |outcome| {
        matches!(outcome, Outcome::Ok(_))
    }));
    let first = written.first().expect("one was acknowledged").clone();
    let filler = disk.fill();
    runtime.block_on(put_until(&cluster.pd, "full", &mut written, |outcome| {
        matches!(outcome, Outcome::NotApplied(error) | Outcome::Unknown(error)
            if format!("{error:?}").contains("DiskFull"))
    }));
    let get = Request::Get { key: first.into() };
    let read = runtime.block_on(client(&cluster.pd).execute(&get, OP_TIMEOUT)).outcome;
    assert!(matches!(read, Outcome::Ok(Response::Got(Some(_)))), "a read goes on: {read:?}");

    std::fs::remove_file(filler).expect("it is ours");
    runtime.block_on(put_until(&cluster.pd, "room again", &mut written, |outcome| {
        matches!(outcome, Outcome::Ok(_))
    }));
    cluster.kill_everything();
    cluster.start_again();
    let lost = runtime.block_on(lost(&cluster.pd, &written));
    assert_eq!(lost, Vec::<String>::new(), "of {} writes", written.len());
}
