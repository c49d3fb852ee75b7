//! The second opinion: the crate porcupine-rs, a port of Porcupine's Wing–Gong–Lowe search.
//!
//! In: calls on one key. Out: a judgement. Three traps of porcupine-rs 0.3 are kept away from it:
//! - it panics on a call without a return: a call of unknown outcome returns after everything else,
//!   and is accepted in every state there, since it may also never take effect;
//! - it starts a thread per partition: it gets one key at a time, and then runs on the thread that
//!   calls it;
//! - its timeouts can come out as "illegal", and a clock makes the verdict differ between machines:
//!   instead the model itself counts steps and refuses every further one when the budget is spent,
//!   so that the search ends at once, and the answer is *unknown*.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use porcupine_rs::{Model, Operation, check_operations};

use crate::call::{ABSENT, Call, ValueId};
use crate::engine::{Decision, Judgement};
use crate::options::Budget;
use crate::verdict::DecidedBy;

/// What porcupine-rs keeps per configuration beside one bit per call.
const CONFIGURATION_BYTES: u64 = 128;

/// Decides one key.
pub(crate) fn judge(calls: &[Call], budget: &Budget) -> Judgement {
    let bytes = CONFIGURATION_BYTES + calls.len() as u64 / 8;
    let allowed = budget.configurations.min(budget.bytes / bytes);
    let steps = Arc::new(Steps { allowed, taken: AtomicU64::new(0) });
    let history: Vec<Operation<Register>> = calls
        .iter()
        .filter(|call| !(call.is_unknown() && call.is_read()))
        .map(|call| Operation {
            client_id: None,
            call_time: time(call.invoke),
            return_time: time(call.finish),
            op: Step { call: *call, steps: Arc::clone(&steps) },
            metadata: None,
        })
        .collect();
    let linearizable = check_operations(&history);
    let taken = steps.taken.load(Ordering::Relaxed);
    let decision = if linearizable {
        Decision::Linearizable
    } else if taken > allowed {
        Decision::Unknown(format!("the search stopped after {allowed} configurations, its budget"))
    } else {
        Decision::NotLinearizable
    };
    Judgement::new(decision, DecidedBy::Porcupine, taken.min(allowed))
}

/// Times as porcupine-rs has them. Never is after everything.
fn time(nanoseconds: u64) -> i64 {
    i64::try_from(nanoseconds).unwrap_or(i64::MAX)
}

#[derive(Debug)]
struct Steps {
    allowed: u64,
    taken: AtomicU64,
}

#[derive(Debug, Clone)]
struct Step {
    call: Call,
    steps: Arc<Steps>,
}

#[derive(Debug, Clone)]
struct Register;

impl Model for Register {
    type State = ValueId;
    type Op = Step;
    type Metadata = ();

    fn init() -> ValueId {
        ABSENT
    }

    fn step(state: &ValueId, op: &Step) -> (bool, ValueId) {
        let taken = op.steps.taken.fetch_add(1, Ordering::Relaxed);
        if taken >= op.steps.allowed {
            return (false, *state);
        }
        match op.call.step(*state) {
            Some(next) => (true, next),
            None => (op.call.is_unknown(), *state),
        }
    }
}
