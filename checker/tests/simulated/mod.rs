//! Histories of one small register as Jepsen's tests of compare-and-swap record them: few values,
//! many answers lost.
//!
//! In: a [`Shape`]. Out: events in order. Each client calls in a closed loop; an operation takes
//! effect at some moment between its invocation and its return. A write or a CAS whose answer is
//! lost may have taken effect before, or does so at some later moment, or never, and its client
//! goes on under a new number. A CAS that fails does not say what it saw. Nothing but the seed
//! decides. One file for the checker's tests and for the benchmarks.

use histories::{Answer, Event, Operation, Outcome, Process, What};

/// What a history is like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Operations, those of unknown outcome included.
    pub operations: u64,
    /// Clients that call at the same time.
    pub clients: u64,
    /// The percentage of operations that are writes or CAS of unknown outcome.
    pub unknown: u64,
    /// Values, from 0 on. The register begins with 0.
    pub values: u64,
    /// The read that returns a replaced value.
    pub stale: Stale,
    /// Everything that chance decides.
    pub seed: u64,
}

/// A read that returns a value that had been replaced before it was invoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// There is none.
    None,
    /// One in the second third, which lost writes and repeated values mostly explain.
    Middle,
    /// One behind everything else: a new value is written, then the one before it is read.
    End,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Read,
    Write(u64),
    Cas(u64, u64),
}

struct Open {
    process: u64,
    call: Call,
    invoked: u64,
    /// What it saw, once it has taken effect.
    saw: Option<u64>,
}

struct Register {
    value: u64,
    /// Values that were replaced, and when.
    replaced: Vec<(u64, u64)>,
}

impl Register {
    fn apply(&mut self, call: Call, now: u64) -> u64 {
        let saw = self.value;
        let next = match call {
            Call::Write(new) => new,
            Call::Cas(expected, new) if expected == saw => new,
            Call::Read | Call::Cas(..) => saw,
        };
        if next != saw {
            self.replaced.push((now, saw));
        }
        self.value = next;
        saw
    }
}

/// Makes a history.
pub fn simulated(shape: &Shape) -> Vec<Event> {
    let mut random = Random(shape.seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
    let mut register = Register { value: 0, replaced: Vec::new() };
    let mut events = Vec::new();
    let mut emit = |time: u64, process, what| {
        let process = Process::Client(process);
        let index = events.len() as u64;
        let attempts = Vec::new();
        events.push(Event { index, time_ns: time * 1_000, process, what, error: None, attempts });
    };
    let first = operation(Call::Write(0));
    emit(0, 0, What::Invoke(first.clone()));
    emit(1, 0, What::Complete(first, Outcome::Ok(Answer::Done)));

    let mut clients: Vec<Option<Open>> = (0..shape.clients).map(|_| None).collect();
    let mut processes: Vec<u64> = (0..shape.clients).collect();
    let mut fresh = shape.clients;
    // Lost, and not yet effective.
    let mut lost: Vec<Call> = Vec::new();
    let (mut begun, mut now, mut is_stale_due) = (0, 2, shape.stale == Stale::Middle);
    // Two of three operations are writes or CAS.
    let lost_of_300 = shape.unknown * 9 / 2;
    while begun < shape.operations || clients.iter().any(Option::is_some) {
        now += 1;
        if !lost.is_empty() && random.below(40) == 0 {
            let at = random.below(lost.len() as u64) as usize;
            register.apply(lost.swap_remove(at), now);
        }
        let at = random.below(shape.clients) as usize;
        let Some(open) = &mut clients[at] else {
            if begun < shape.operations {
                begun += 1;
                let call = match random.below(3) {
                    0 => Call::Read,
                    1 => Call::Write(random.below(shape.values)),
                    _ => Call::Cas(random.below(shape.values), random.below(shape.values)),
                };
                emit(now, processes[at], What::Invoke(operation(call)));
                let process = processes[at];
                clients[at] = Some(Open { process, call, invoked: now, saw: None });
            }
            continue;
        };
        if open.saw.is_none() && random.below(2) == 0 {
            open.saw = Some(register.apply(open.call, now));
            continue;
        }
        let Some(Open { process, call, invoked, saw }) = clients[at].take() else { continue };
        if !matches!(call, Call::Read) && random.below(300) < lost_of_300 {
            if saw.is_none() && random.below(2) == 0 {
                lost.push(call);
            }
            emit(now, process, What::Complete(operation(call), Outcome::Info));
            processes[at] = fresh;
            fresh += 1;
            continue;
        }
        let mut saw = saw.unwrap_or_else(|| register.apply(call, now));
        let is_middle = begun > shape.operations / 3;
        if is_stale_due && is_middle && matches!(call, Call::Read) {
            let old = register.replaced.iter().rev();
            let mut old = old.filter(|(until, value)| *until < invoked && *value != saw);
            if let Some((_, value)) = old.next() {
                saw = *value;
                is_stale_due = false;
            }
        }
        let value = |value: u64| Some(value.to_string().into_bytes());
        let answer = match call {
            Call::Read => Answer::Got(value(saw)),
            Call::Write(_) => Answer::Done,
            Call::Cas(expected, _) if expected == saw => {
                Answer::Cas { swapped: true, previous: value(saw) }
            }
            Call::Cas(..) => Answer::CasFailed,
        };
        emit(now, process, What::Complete(operation(call), Outcome::Ok(answer)));
    }
    if shape.stale == Stale::End {
        let before = register.value.to_string().into_bytes();
        let new = Call::Write(shape.values + 2);
        for (call, answer) in [(new, Answer::Done), (Call::Read, Answer::Got(Some(before)))] {
            emit(now + 1, fresh, What::Invoke(operation(call)));
            emit(now + 2, fresh, What::Complete(operation(call), Outcome::Ok(answer)));
            now += 2;
        }
    }
    events
}

fn operation(call: Call) -> Operation {
    let key = b"r".to_vec();
    let bytes = |value: u64| value.to_string().into_bytes();
    match call {
        Call::Read => Operation::Get { key },
        Call::Write(value) => Operation::Put { key, value: bytes(value), ttl_s: None },
        Call::Cas(expected, new) => {
            Operation::Cas { key, expected: Some(bytes(expected)), new: bytes(new) }
        }
    }
}
