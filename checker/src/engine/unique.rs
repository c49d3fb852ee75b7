//! The default engine: hands calls of unique values to the near-linear check.
//!
//! In: calls on one key. Out: a judgement, or `None` where that check does not apply: values that
//! repeat, and calls that it has no notion of (a key-only read, an expiry, a CAS failure that does
//! not say what it saw).

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::call::{ABSENT, ANYTHING, Call, IMPOSSIBLE, NOTHING, PRESENT, UNLIKE, ValueId};
use crate::engine::{Decision, Judgement};
use crate::near_linear::{self, Answer, Clash, Op, Operations};
use crate::verdict::DecidedBy;

/// Decides one key whose written values are unique.
pub(crate) fn judge(calls: &[Call]) -> Option<Judgement> {
    let decision = match clash(calls)? {
        None => Decision::Linearizable,
        Some(_) => Decision::NotLinearizable,
    };
    Some(Judgement::new(decision, DecidedBy::NearLinear, calls.len() as u64))
}

/// What clashes, if anything does; `None` where the check does not apply.
#[allow(clippy::option_option)]
pub(crate) fn clash(calls: &[Call]) -> Option<Option<Clash>> {
    if !calls.iter().all(is_decidable) {
        return None;
    }
    let values_max = calls
        .iter()
        .flat_map(|call| [call.expects, call.writes])
        .filter(|value| *value < IMPOSSIBLE)
        .max();
    let is_sparse = values_max
        .is_some_and(|value| value as usize > SPARSE_MIN.max(DENSE_VALUES_MAX * calls.len()));
    let answer = if is_sparse {
        let mut ops: Vec<Op> = calls.iter().filter_map(op).collect();
        renumber(&mut ops);
        near_linear::check(ops.as_slice())
    } else {
        near_linear::check(&Decidable(calls))
    };
    match answer {
        Answer::Linearizable => Some(None),
        Answer::Not(clash) => Some(Some(clash)),
        Answer::NotUnique(..) => None,
    }
}

/// Whether the check has a notion of a call.
pub(crate) fn is_decidable(call: &Call) -> bool {
    op(call).is_some()
}

/// Calls each of which the check has a notion of, read as they are.
struct Decidable<'a>(&'a [Call]);

impl Operations for Decidable<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn at(&self, index: usize) -> Op {
        op(&self.0[index]).expect("looked at before")
    }
}

/// So many value numbers for each call are still dense enough to count up to.
const DENSE_VALUES_MAX: usize = 4;
/// Numbers up to this are never renumbered.
const SPARSE_MIN: usize = 1024;

/// Numbers values anew, without gaps: the check takes memory up to the largest, and a few calls out
/// of a long history have large ones.
fn renumber(ops: &mut [Op]) {
    let mut numbers: HashMap<ValueId, ValueId, FxBuildHasher> = HashMap::default();
    let mut renumbered = |value: &mut ValueId| {
        let next = numbers.len() as ValueId;
        *value = *numbers.entry(*value).or_insert(next);
    };
    for op in ops {
        match &mut op.call {
            near_linear::Call::Read(Some(value)) | near_linear::Call::Put(value) => {
                renumbered(value);
            }
            near_linear::Call::Cas(expected, value) => {
                expected.as_mut().map(&mut renumbered);
                renumbered(value);
            }
            near_linear::Call::Read(None) | near_linear::Call::Delete => {}
        }
    }
}

fn op(call: &Call) -> Option<Op> {
    let seen = |value: ValueId| (value != ABSENT).then_some(value);
    let call_there = match (call.expects, call.writes) {
        (PRESENT | IMPOSSIBLE, _) | (_, UNLIKE) => return None,
        (expected, NOTHING) => near_linear::Call::Read(seen(expected)),
        (ANYTHING, ABSENT) => near_linear::Call::Delete,
        (ANYTHING, value) => near_linear::Call::Put(value),
        (_, ABSENT) => return None,
        (expected, value) => near_linear::Call::Cas(seen(expected), value),
    };
    Some(Op { invoked: call.invoke, returned: call.finish, call: call_there })
}
