//! A call on one key: what every operation on a store becomes once it is split by key.
//!
//! Six kinds of calls, as one conditional transition of a register, `expects → writes`:
//!
//! | operation | expects | writes |
//! |---|---|---|
//! | get that returned v, CAS that failed on v | v | [`NOTHING`] |
//! | key-only scan that returned the key | [`PRESENT`] | [`NOTHING`] |
//! | put of v, delete | [`ANYTHING`] | v, [`ABSENT`] |
//! | CAS of e to n that swapped | e | n |
//! | expiry of a value v that was put with a TTL | v | [`ABSENT`] |
//! | CAS that failed with an unknown previous value | e | [`UNLIKE`]: the state was not e |
//!
//! A completed call took effect at one moment of its closed interval. A call of unknown outcome
//! finishes at [`NEVER`]; it may take effect at any moment after its invocation, or not at all.
//! Calls that certainly took no effect are not calls.

/// A value of one key, numbered from 1 in the order in which the history mentions them.
pub type ValueId = u32;

/// The key is not there.
pub const ABSENT: ValueId = 0;
/// No condition on the state.
pub const ANYTHING: ValueId = u32::MAX;
/// Any value, but not absence.
pub const PRESENT: ValueId = u32::MAX - 1;
/// A condition that no state meets: the answer contradicts itself.
pub const IMPOSSIBLE: ValueId = u32::MAX - 2;
/// The state stays.
pub const NOTHING: ValueId = u32::MAX;
/// The state stays, and the condition is turned round: the state is not what `expects` says.
pub const UNLIKE: ValueId = u32::MAX - 1;
/// When a call of unknown outcome finishes.
pub const NEVER: u64 = u64::MAX;

/// One call on one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    /// When it was invoked: nanoseconds since the run's start plus one, so that 0 is before
    /// everything.
    pub invoke: u64,
    /// When it returned, in the same unit; [`NEVER`] if its outcome is unknown.
    pub finish: u64,
    /// What the state must be when it takes effect.
    pub expects: ValueId,
    /// What the state is afterwards.
    pub writes: ValueId,
    /// The index of the event that invoked it.
    pub event: u32,
    /// Which client called, as a number of `History::client`.
    pub client: u32,
}

impl Call {
    /// Whether its outcome is unknown.
    pub fn is_unknown(&self) -> bool {
        self.finish == NEVER
    }

    /// Whether it leaves the state as it is.
    pub fn is_read(&self) -> bool {
        self.writes == NOTHING || self.writes == UNLIKE
    }

    /// The state after the call took effect in `state`; `None` if it cannot take effect there.
    pub fn step(&self, state: ValueId) -> Option<ValueId> {
        let met = match self.expects {
            ANYTHING => true,
            PRESENT => state != ABSENT,
            IMPOSSIBLE => false,
            expected => (state == expected) != (self.writes == UNLIKE),
        };
        met.then_some(if self.is_read() { state } else { self.writes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(expects: ValueId, writes: ValueId) -> Call {
        Call { invoke: 1, finish: 2, expects, writes, event: 0, client: 0 }
    }

    #[test]
    fn each_kind_of_call_steps_as_the_table_says() {
        for (expects, writes, state, after) in [
            (5, NOTHING, 5, Some(5)),
            (5, NOTHING, 6, None),
            (ABSENT, NOTHING, ABSENT, Some(ABSENT)),
            (PRESENT, NOTHING, 7, Some(7)),
            (PRESENT, NOTHING, ABSENT, None),
            (ANYTHING, 8, 7, Some(8)),
            (ANYTHING, ABSENT, 7, Some(ABSENT)),
            (5, 6, 5, Some(6)),
            (5, 6, 7, None),
            (5, UNLIKE, 7, Some(7)),
            (5, UNLIKE, 5, None),
            (IMPOSSIBLE, NOTHING, 5, None),
        ] {
            assert_eq!(
                call(expects, writes).step(state),
                after,
                "{expects} -> {writes} in {state}"
            );
        }
    }
}
