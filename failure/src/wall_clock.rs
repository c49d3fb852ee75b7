//! Checks the machine's wall clock. It is not used for any result, but a time before 1970 would
//! abort a process, and is refused.
//!
//! In: the clock. Out: nothing, or one sentence.

use crate::Failure;
use std::time::SystemTime;

/// Refuses a clock before 1970: the storage engine and the HTTP servers abort on it.
pub fn refuse_before_1970() -> Result<(), Failure> {
    refuse(SystemTime::now())
}

fn refuse(now: SystemTime) -> Result<(), Failure> {
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
    use crate::Exit;
    use std::time::Duration;

    #[test]
    fn a_wall_clock_before_1970_is_one_sentence() {
        let second = Duration::from_secs(1);
        refuse_before_1970().expect("this machine's clock is set");
        for fine in [SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + second] {
            refuse(fine).expect("a time that everything knows");
        }
        let failure = refuse(SystemTime::UNIX_EPOCH - second).expect_err("refused");
        assert_eq!(failure.exit, Exit::TargetOrDisk);
        assert!(failure.sentence.contains("before 1970: set it"), "{failure}");
    }
}
