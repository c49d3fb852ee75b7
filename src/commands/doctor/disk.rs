//! The disk of the run directories: write access, free space, speed of syncs.
//!
//! In: a folder, existing or not. Out: findings. Appends small lines and syncs each, as a store's
//! log does, for half a second, and then removes the file.

use super::Finding;
use nix::sys::statvfs::statvfs;
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const MEASURED_FOR: Duration = Duration::from_millis(500);
/// A write of the embedded cluster waits for a majority's syncs, so clients get at most about this
/// many writes.
const SYNCS_A_SECOND_MIN: f64 = 200.0;
/// A minute of the default run leaves about 50 MiB; a night much more.
const FREE_MIN_MIB: u64 = 2048;

/// Examines the disk.
pub fn look(runs_dir: &Path) -> Vec<Finding> {
    let place = existing(runs_dir);
    match syncs_a_second(&place) {
        Ok(rate) => vec![syncs(rate), free(&place)],
        Err(error) => vec![Finding::bad(
            "disk",
            format!(
                "{} cannot be written: {error}; name another place with --runs-dir",
                place.display()
            ),
        )],
    }
}

/// Returns the folder, or the nearest existing one above it.
fn existing(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn syncs_a_second(place: &Path) -> std::io::Result<f64> {
    let path = place.join(format!(".jepsen-tikv-doctor-{}", std::process::id()));
    let measured = (|| {
        let mut file = OpenOptions::new().create_new(true).append(true).open(&path)?;
        let (began, mut syncs) = (Instant::now(), 0_u32);
        while began.elapsed() < MEASURED_FOR {
            file.write_all(&[b'x'; 100])?;
            file.sync_data()?;
            syncs += 1;
        }
        Ok(f64::from(syncs) / began.elapsed().as_secs_f64())
    })();
    let _ = fs::remove_file(&path);
    measured
}

fn syncs(rate: f64) -> Finding {
    const WHAT: &str = "disk syncs";
    let said = format!("{rate:.0} a second (100 bytes appended, fdatasync)");
    if rate >= SYNCS_A_SECOND_MIN {
        Finding::good(WHAT, said)
    } else {
        Finding::limits(
            WHAT,
            format!(
                "{said}: every write of the embedded cluster waits for it; put --runs-dir on a faster disk"
            ),
        )
    }
}

fn free(place: &Path) -> Finding {
    const WHAT: &str = "disk space";
    match statvfs(place) {
        Err(error) => Finding::limits(WHAT, format!("unknown: {error}")),
        Ok(stat) => {
            let mib = stat.blocks_available() * stat.fragment_size() / (1 << 20);
            let said = format!("{mib} MiB free for {}", place.display());
            if mib >= FREE_MIN_MIB {
                Finding::good(WHAT, said)
            } else {
                Finding::limits(
                    WHAT,
                    format!("{said}: a long run may fill it, which ends the run with exit code 74"),
                )
            }
        }
    }
}
