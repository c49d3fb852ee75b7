//! The machine's wall clock, on which nothing relies. A moment before 1970 is refused where it would end a process: the
//! storage engine and HTTP servers do not know such times.

use crate::Failure;
use std::time::SystemTime;

/// Refuses a wall clock that says a time before 1970.
pub fn refuse_before_1970(now: SystemTime) -> Result<(), Failure> {
    if now < SystemTime::UNIX_EPOCH {
        return Err(Failure::target_or_disk(
            "this machine's clock says a time before 1970: set it, and start again",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_wall_clock_before_1970_is_one_sentence() {
        let second = Duration::from_secs(1);
        for fine in [SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + second, SystemTime::now()] {
            refuse_before_1970(fine).expect("a time that everything knows");
        }
        let refused = refuse_before_1970(SystemTime::UNIX_EPOCH - second).expect_err("refused");
        assert_eq!(refused.exit, crate::Exit::TargetOrDisk);
        assert!(refused.to_string().contains("before 1970: set it"), "{refused}");
    }
}
