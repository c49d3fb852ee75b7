//! Makes histories of a perfect register from a seed: what a correct store might have answered, in
//! any size.
//!
//! In: a [`Shape`]. Out: events in order, to whoever takes them. Clients call in a closed loop:
//! each begins its next operation right after the last one ended. An operation takes 100 to 2,000
//! microseconds and takes effect at its beginning or at its end, as chance will have it. Values are
//! unique and short. Nothing but the seed decides: the same shape gives the same bytes everywhere.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use clap::Args;
use histories::{Answer, Event, Operation, Outcome, Process, Value, What};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Zipf};

/// What a history is like.
#[derive(Debug, Clone, Args)]
pub struct Shape {
    /// Operations that complete
    #[arg(long, default_value_t = 1_000_000)]
    pub operations: u64,
    /// Keys
    #[arg(long, default_value_t = 10_000)]
    pub keys: u32,
    /// Clients
    #[arg(long, default_value_t = 16)]
    pub clients: u32,
    /// The exponent of the zipfian distribution over the keys; 0 = all alike
    #[arg(long, default_value_t = 0.99)]
    pub zipf: f64,
    /// In a hundred operations so many CAS
    #[arg(long, default_value_t = 0)]
    pub cas: u32,
    /// In a hundred operations so many deletes
    #[arg(long, default_value_t = 0)]
    pub deletes: u32,
    /// In 10,000 writes so many of unknown outcome; half of them took effect
    #[arg(long, default_value_t = 0)]
    pub unknown: u32,
    /// So many writes never return, spread over the history; half of them took effect
    #[arg(long, default_value_t = 0)]
    pub crashed: u32,
    /// The last operation reads the first value that its key had, which breaks linearizability
    #[arg(long)]
    pub stale: bool,
    /// Everything that chance decides
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

struct Open {
    operation: Operation,
    /// The answer, if it took effect at its beginning.
    answer: Option<Answer>,
}

/// A client's next moment.
type Next = Reverse<(u64, u32)>;

struct Register {
    values: Vec<Option<Value>>,
}

/// Makes a history and hands its events out in order.
pub fn generate<E>(shape: &Shape, mut take: impl FnMut(Event) -> Result<(), E>) -> Result<(), E> {
    let mut random = ChaCha8Rng::seed_from_u64(shape.seed);
    let zipf = Zipf::new(f64::from(shape.keys), shape.zipf).expect("a distribution over the keys");
    let mut register = Register { values: vec![None; shape.keys as usize] };
    let mut first_value = None;
    // Clients by place; an id is fresh after an unknown outcome, the place is not.
    let mut ids: Vec<u64> = (0..u64::from(shape.clients)).collect();
    let mut fresh_id = u64::from(shape.clients);
    let mut open: Vec<Option<Open>> = (0..shape.clients).map(|_| None).collect();
    let mut next: BinaryHeap<Next> =
        (0..shape.clients).map(|place| Reverse((u64::from(place) * 10_000, place))).collect();
    let mut index = 0;
    let mut event = |time_ns, id, what| {
        let process = Process::Client(id);
        let event = Event { index, time_ns, process, what, error: None, attempts: Vec::new() };
        index += 1;
        event
    };
    let crash_every = shape.operations.checked_div(u64::from(shape.crashed)).unwrap_or(u64::MAX);
    let (mut completed, mut begun) = (0, 0_u64);
    let mut crashes = 0;
    let mut now = 0;
    while completed < shape.operations {
        let Some(Reverse((time, place))) = next.pop() else { break };
        now = time;
        let id = &mut ids[place as usize];
        let Some(Open { operation, answer }) = open[place as usize].take() else {
            if begun / crash_every > crashes {
                crashes += 1;
                let key = random.random_range(0..shape.keys);
                let put = write(key, fresh_id, begun);
                if random.random() {
                    register.apply(&put, key);
                }
                take(event(time, fresh_id, What::Invoke(put)))?;
                fresh_id += 1;
            }
            // The most popular keys are spread over the names.
            let rank = zipf.sample(&mut random) as u64;
            let key = (rank.wrapping_mul(2_654_435_761) % u64::from(shape.keys)) as u32;
            let operation = register.draw(shape, key, *id, begun, &mut random);
            let answer = random.random::<bool>().then(|| register.apply(&operation, key));
            begun += 1;
            take(event(time, *id, What::Invoke(operation.clone())))?;
            open[place as usize] = Some(Open { operation, answer });
            next.push(Reverse((time + random.random_range(100_000..2_000_000), place)));
            continue;
        };
        let is_write = matches!(operation, Operation::Put { .. } | Operation::Cas { .. });
        let is_unknown = is_write && random.random_ratio(shape.unknown, 10_000);
        let key = key_number(&operation);
        let outcome = if is_unknown {
            if answer.is_none() && random.random() {
                register.apply(&operation, key);
            }
            Outcome::Info
        } else {
            Outcome::Ok(answer.unwrap_or_else(|| register.apply(&operation, key)))
        };
        if let (Operation::Put { value, .. }, Outcome::Ok(_)) = (&operation, &outcome) {
            first_value.get_or_insert_with(|| (key, value.clone()));
        }
        take(event(time, *id, What::Complete(operation, outcome)))?;
        if is_unknown {
            *id = fresh_id;
            fresh_id += 1;
        }
        completed += 1;
        next.push(Reverse((time + 1 + random.random_range(0..2_000), place)));
    }
    if let Some((key, value)) = first_value.filter(|_| shape.stale) {
        let newest = write(key, fresh_id, begun);
        let get = Operation::Get { key: key_name(key) };
        let old = Outcome::Ok(Answer::Got(Some(value)));
        take(event(now + 1, fresh_id, What::Invoke(newest.clone())))?;
        take(event(now + 2, fresh_id, What::Complete(newest, Outcome::Ok(Answer::Done))))?;
        take(event(now + 3, fresh_id, What::Invoke(get.clone())))?;
        take(event(now + 4, fresh_id, What::Complete(get, old)))?;
    }
    Ok(())
}

impl Register {
    fn draw(
        &self,
        shape: &Shape,
        key: u32,
        id: u64,
        sequence: u64,
        random: &mut ChaCha8Rng,
    ) -> Operation {
        let kind = random.random_range(0..100);
        if kind < shape.cas {
            let Operation::Put { key: name, value: new, .. } = write(key, id, sequence) else {
                unreachable!("a write is a put")
            };
            return Operation::Cas { key: name, expected: self.values[key as usize].clone(), new };
        }
        if kind < shape.cas + shape.deletes {
            return Operation::Delete { key: key_name(key) };
        }
        // The rest is half reads and half writes, as YCSB A is.
        if random.random() {
            return write(key, id, sequence);
        }
        Operation::Get { key: key_name(key) }
    }

    fn apply(&mut self, operation: &Operation, key: u32) -> Answer {
        let state = &mut self.values[key as usize];
        match operation {
            Operation::Put { value, .. } => {
                *state = Some(value.clone());
                Answer::Done
            }
            Operation::Delete { .. } => {
                *state = None;
                Answer::Done
            }
            Operation::Cas { expected, new, .. } => {
                let previous = state.clone();
                let swapped = previous == *expected;
                if swapped {
                    *state = Some(new.clone());
                }
                Answer::Cas { swapped, previous }
            }
            _ => Answer::Got(state.clone()),
        }
    }
}

fn write(key: u32, id: u64, sequence: u64) -> Operation {
    let value = format!("{id}-{sequence}").into_bytes();
    Operation::Put { key: key_name(key), value, ttl_s: None }
}

fn key_name(key: u32) -> Vec<u8> {
    format!("user{key}").into_bytes()
}

fn key_number(operation: &Operation) -> u32 {
    let (Operation::Get { key }
    | Operation::Put { key, .. }
    | Operation::Delete { key }
    | Operation::Cas { key, .. }) = operation
    else {
        unreachable!("nothing else is drawn")
    };
    let digits = std::str::from_utf8(&key[4..]).expect("a key is text");
    digits.parse().expect("a key ends in its number")
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::{Collector, Options, Validity, check};

    fn verdict(shape: &Shape) -> Validity {
        let mut collector = Collector::new();
        generate(shape, |event| collector.push(event)).expect("well-formed");
        check(&collector.finish(), &Options::default()).validity
    }

    #[test]
    fn histories_are_valid_unless_a_read_is_stale() {
        let shape = Shape {
            operations: 2_000,
            keys: 3,
            clients: 8,
            zipf: 0.99,
            cas: 10,
            deletes: 10,
            unknown: 100,
            crashed: 5,
            stale: false,
            seed: 3,
        };
        assert_eq!(verdict(&shape), Validity::Valid);
        assert_eq!(verdict(&Shape { stale: true, ..shape }), Validity::Invalid);
    }
}
