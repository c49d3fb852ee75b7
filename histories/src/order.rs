//! The rules that every history obeys, in any format.
//!
//! - Indexes are 0, 1, 2 … in the order of recording.
//! - A client has at most one open operation; a completion belongs to it.
//! - Within one client time never runs backwards; across clients it may run behind the index.
//! - No time is larger than [`TIME_NS_MAX`].
//!
//! In: events in order. Out: nothing, or the first rule broken. It keeps one small entry per
//! client. It knows neither files nor lines: the caller adds the line number. Faults obey the index
//! and the largest time only: they overlap on purpose.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::borrowed::OperationRef;
use crate::error::MalformedReason;
use crate::event::{ClientId, Event, Process, What};
use crate::open_operation::OpenOperation;

/// The largest time of an event. It is a little below 2^63, so that a judge can add a few
/// nanoseconds and signed numbers hold the sum.
pub const TIME_NS_MAX: u64 = (1 << 63) - 1024;

/// Refuses a time that is too large.
pub fn time(time_ns: u64) -> Result<(), MalformedReason> {
    if time_ns > TIME_NS_MAX {
        return Err(MalformedReason::TimeTooLarge(time_ns));
    }
    Ok(())
}

/// Checks events one by one, and remembers the open operation of each client.
#[derive(Debug, Default)]
pub struct Order {
    next_index: u64,
    clients: HashMap<ClientId, Client, FxBuildHasher>,
}

#[derive(Debug, Default)]
struct Client {
    last_ns: u64,
    is_open: bool,
    /// The open operation, or the one completed last. The latter is kept until the next invocation,
    /// for readers of its completion.
    operation: OpenOperation,
}

impl Order {
    /// Creates the state for an empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// The index that the next event must have, which is also the number of events seen.
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Checks the next event's index.
    pub fn index(&mut self, found: u64) -> Result<(), MalformedReason> {
        if found != self.next_index {
            return Err(MalformedReason::Index { expected: self.next_index, found });
        }
        self.next_index += 1;
        Ok(())
    }

    /// Checks an invocation.
    pub fn invoke(
        &mut self,
        client: ClientId,
        time_ns: u64,
        operation: OperationRef<'_>,
    ) -> Result<(), MalformedReason> {
        let entry = self.at(client, time_ns)?;
        if entry.is_open {
            return Err(MalformedReason::TwoOpenOperations(client));
        }
        entry.is_open = true;
        entry.operation.set(operation);
        Ok(())
    }

    /// Checks a completion and returns the operation that it completes.
    pub fn complete(
        &mut self,
        client: ClientId,
        time_ns: u64,
    ) -> Result<OperationRef<'_>, MalformedReason> {
        let entry = self.at(client, time_ns)?;
        let was_open = std::mem::replace(&mut entry.is_open, false);
        let operation = entry.operation.get().filter(|_| was_open);
        operation.ok_or(MalformedReason::ReturnWithoutInvoke(client))
    }

    /// The open operation of a client.
    pub fn open(&self, client: ClientId) -> Option<OperationRef<'_>> {
        let entry = self.clients.get(&client)?;
        entry.operation.get().filter(|_| entry.is_open)
    }

    /// Checks a whole event, as a producer of histories has it.
    pub fn event(&mut self, event: &Event) -> Result<(), MalformedReason> {
        self.index(event.index)?;
        match (&event.process, &event.what) {
            (Process::Client(client), What::Invoke(operation)) => {
                self.invoke(*client, event.time_ns, operation.borrowed())
            }
            (Process::Client(client), What::Complete(operation, _)) => {
                let open = self.complete(*client, event.time_ns)?;
                if open == operation.borrowed() {
                    return Ok(());
                }
                Err(MalformedReason::OtherOperation {
                    client: *client,
                    returned: operation.name().to_owned(),
                    open: open.name().to_owned(),
                })
            }
            (Process::Nemesis, What::FaultInvoke { .. } | What::FaultComplete { .. }) => {
                time(event.time_ns)
            }
            (Process::Client(_), _) => {
                Err(MalformedReason::Shape("a fault that a client reports".to_owned()))
            }
            (Process::Nemesis, _) => {
                Err(MalformedReason::Shape("an operation by the nemesis".to_owned()))
            }
        }
    }

    fn at(&mut self, client: ClientId, time_ns: u64) -> Result<&mut Client, MalformedReason> {
        time(time_ns)?;
        let entry = self.clients.entry(client).or_default();
        if time_ns < entry.last_ns {
            return Err(MalformedReason::TimeBackwards {
                client,
                before_ns: entry.last_ns,
                now_ns: time_ns,
            });
        }
        entry.last_ns = time_ns;
        Ok(entry)
    }
}
