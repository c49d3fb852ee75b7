//! Decides if a gap in service while stores are paused breaks a promise: a pure decision about four
//! numbers.
//!
//! A bound alone would accuse a correct cluster on a busy machine, where clients wait without any
//! fault. So the gap is also compared with the longest gap in an equally long window without a
//! fault.

/// A gap this many times as long as one without a fault is not due to the machine.
const FAR: u64 = 5;

/// A gap, and the values to compare it with, in milliseconds.
#[expect(clippy::struct_field_names, reason = "a unit belongs to each name")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The longest time without a success while stores were paused.
    pub gap_ms: u64,
    /// The allowed gap.
    pub bound_ms: u64,
    /// The longest time without a success in a window of the same length without a fault; none if
    /// there was no such window.
    pub quiet_ms: Option<u64>,
    /// The time in which the tester itself got no processor.
    pub late_ms: u64,
}

/// The result of comparing a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The gap is allowed.
    Within,
    /// The gap would be allowed without the tester's own delay: unknown.
    TesterSlept,
    /// There is no gap without a fault to compare with: unknown.
    NothingToCompare,
    /// The gap is too long, but not far longer than without a fault: unknown.
    LikeTheMachine,
    /// The gap is too long, and far longer than without a fault.
    Broken,
}

impl Gap {
    /// Compares the gap.
    pub fn held(self) -> Held {
        let Self { gap_ms, bound_ms, quiet_ms, late_ms } = self;
        let awake_ms = gap_ms.saturating_sub(late_ms);
        if gap_ms <= bound_ms {
            return Held::Within;
        }
        if awake_ms <= bound_ms {
            return Held::TesterSlept;
        }
        match quiet_ms {
            None => Held::NothingToCompare,
            Some(quiet_ms) if awake_ms <= quiet_ms.saturating_mul(FAR) => Held::LikeTheMachine,
            Some(_) => Held::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(gap_ms: u64, quiet_ms: Option<u64>, late_ms: u64) -> Held {
        Gap { gap_ms, bound_ms: 1_000, quiet_ms, late_ms }.held()
    }

    #[test]
    fn a_busy_machine_accuses_nobody() {
        // Measured on a correct cluster on two cores with a load of 50, and at rest.
        assert_eq!(held(848, Some(300), 0), Held::Within);
        assert_eq!(held(112, Some(20), 0), Held::Within);
        // With a little more load the bound is exceeded, with and without a fault.
        assert_eq!(held(1_300, Some(700), 0), Held::LikeTheMachine);
        assert_eq!(held(5_000, Some(1_000), 0), Held::LikeTheMachine);
        assert_eq!(held(1_300, Some(20), 400), Held::TesterSlept);
        assert_eq!(held(60_000, None, 0), Held::NothingToCompare);
    }

    #[test]
    fn a_gap_that_only_the_fault_explains_is_broken() {
        // A leader was among the two paused stores: 19 s until there is another one.
        assert_eq!(held(19_000, Some(848), 0), Held::Broken);
        assert_eq!(held(1_900, Some(30), 0), Held::Broken);
        assert_eq!(held(1_001, Some(200), 0), Held::Broken);
        assert_eq!(held(1_000, Some(0), 0), Held::Within);
    }
}
