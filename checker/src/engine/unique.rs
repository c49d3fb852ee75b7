//! The default engine: hands calls of unique values to the near-linear check.
//!
//! In: calls on one key. Out: a judgement, or `None` where that check does not apply: values that repeat, and
//! calls that it has no notion of (a key-only read, an expiry, a CAS failure that does not say what it saw).

use crate::call::{ABSENT, ANYTHING, Call, IMPOSSIBLE, NOTHING, PRESENT, UNLIKE, ValueId};
use crate::engine::{Decision, Judgement};
use crate::near_linear::{self, Answer, Clash, Op};
use crate::verdict::DecidedBy;

/// Decides one key whose written values are unique.
pub(crate) fn judge(calls: &[Call]) -> Option<Judgement> {
    let decision = match clash(calls)? {
        None => Decision::Linearizable,
        Some(_) => Decision::NotLinearizable,
    };
    Some(Judgement { decision, decided_by: DecidedBy::NearLinear, explored: calls.len() as u64 })
}

/// What clashes, if anything does; `None` where the check does not apply.
#[allow(clippy::option_option)]
pub(crate) fn clash(calls: &[Call]) -> Option<Option<Clash>> {
    let ops: Vec<Op> = calls.iter().map(op).collect::<Option<_>>()?;
    match near_linear::check(&ops) {
        Answer::Linearizable => Some(None),
        Answer::Not(clash) => Some(Some(clash)),
        Answer::NotUnique(..) => None,
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
