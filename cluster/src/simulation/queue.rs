//! The queue of future events, in order of time; events at the same time are in the order in which
//! they were planned.
//!
//! Pure data: hence two worlds with the same inputs have the same future.

use std::{cmp::Ordering, collections::BinaryHeap};

/// Events that will happen.
#[derive(Debug)]
pub struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    planned: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at_us: u64,
    number: u64,
    what: T,
}

impl<T> Queue<T> {
    /// Creates an empty queue.
    pub fn new() -> Self {
        Self { heap: BinaryHeap::new(), planned: 0 }
    }

    /// Plans an event.
    pub fn plan(&mut self, at_us: u64, what: T) {
        self.planned += 1;
        self.heap.push(Entry { at_us, number: self.planned, what });
    }

    /// The time of the next event.
    pub fn next_us(&self) -> Option<u64> {
        self.heap.peek().map(|entry| entry.at_us)
    }

    /// Takes the next event, if it happens by then.
    pub fn pop_until(&mut self, until_us: u64) -> Option<(u64, T)> {
        self.heap.peek().filter(|entry| entry.at_us <= until_us)?;
        self.heap.pop().map(|entry| (entry.at_us, entry.what))
    }
}

impl<T> Ord for Entry<T> {
    /// The earliest is the greatest: the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_us, other.number).cmp(&(self.at_us, self.number))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}
