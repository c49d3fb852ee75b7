//! The simulated network: the delay of each message, and its loss.
//!
//! In: sender, receiver, and randomness. Out: a delay, or nothing. A cut is one-way; a partition
//! cuts both ways. Messages overtake each other, since each has a delay of its own.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// A sender or receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// The placement driver.
    Pd,
    /// A store.
    Store(u64),
    /// All clients.
    Clients,
}

/// The condition of the network, for messages between stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// The shortest delay, microseconds.
    pub delay_us_min: u64,
    /// The longest usual delay, microseconds.
    pub delay_us_max: u64,
    /// The number of messages lost out of a thousand.
    pub lost_per_mille: u32,
    /// The number of messages delivered twice out of a thousand.
    pub twice_per_mille: u32,
    /// The number of messages delivered late out of a thousand.
    pub late_per_mille: u32,
    /// The longest delay of a late message, microseconds.
    pub late_us_max: u64,
}

impl Weather {
    /// A healthy local network: messages are rarely late and never lost.
    pub const FAIR: Self = Self {
        delay_us_min: 100,
        delay_us_max: 600,
        lost_per_mille: 0,
        twice_per_mille: 0,
        late_per_mille: 2,
        late_us_max: 20_000,
    };
    /// A bad network: slow, with losses and repetitions.
    pub const FOUL: Self = Self {
        delay_us_min: 500,
        delay_us_max: 30_000,
        lost_per_mille: 50,
        twice_per_mille: 20,
        late_per_mille: 50,
        late_us_max: 500_000,
    };
}

/// The counts of messages between stores since the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// The number of messages sent.
    pub sent: u64,
    /// The number of messages lost.
    pub lost: u64,
    /// The number of messages delivered twice.
    pub twice: u64,
    /// The number of copies delivered late.
    pub late: u64,
}

/// The network's state.
#[derive(Debug)]
pub struct Network {
    pub weather: Weather,
    pub counts: MessageCounts,
    /// The number of cuts on each way: cuts of several partitions add up.
    cuts: BTreeMap<(Node, Node), u32>,
    /// The number of messages that cuts have ever stopped, on each way.
    stopped: BTreeMap<(Node, Node), u64>,
}

impl Network {
    /// Creates a network that works.
    pub fn new() -> Self {
        Self {
            weather: Weather::FAIR,
            counts: MessageCounts::default(),
            cuts: BTreeMap::new(),
            stopped: BTreeMap::new(),
        }
    }

    /// Cuts the way from one node to another.
    pub fn cut(&mut self, from: Node, to: Node) {
        *self.cuts.entry((from, to)).or_default() += 1;
    }

    /// Mends one cut of this way.
    pub fn mend(&mut self, from: Node, to: Node) {
        if let Some(times) = self.cuts.get_mut(&(from, to)) {
            *times -= 1;
            if *times == 0 {
                self.cuts.remove(&(from, to));
            }
        }
    }

    /// Returns true if a message on this way arrives; counts it if not.
    pub fn carries(&mut self, from: Node, to: Node) -> bool {
        let carries = self.cuts.is_empty() || !self.cuts.contains_key(&(from, to));
        if !carries {
            *self.stopped.entry((from, to)).or_default() += 1;
        }
        carries
    }

    /// The number of messages that cuts have ever stopped on this way.
    pub fn stopped(&self, from: Node, to: Node) -> u64 {
        self.stopped.get(&(from, to)).copied().unwrap_or_default()
    }

    /// Draws the arrivals of a message between stores, microseconds from now: none, one or two
    /// copies.
    pub fn deliveries(&mut self, random: &mut ChaCha8Rng) -> impl Iterator<Item = u64> + use<> {
        let weather = self.weather;
        let mut in_a_thousand = |count: u32| count > 0 && random.random_range(0..1_000) < count;
        let counts = &mut self.counts;
        counts.sent += 1;
        let copies = if in_a_thousand(weather.lost_per_mille) {
            counts.lost += 1;
            0
        } else if in_a_thousand(weather.twice_per_mille) {
            counts.twice += 1;
            2
        } else {
            1
        };
        let late_us_max = if in_a_thousand(weather.late_per_mille) {
            counts.late += copies as u64;
            weather.late_us_max
        } else {
            0
        };
        let delays: [u64; 2] = std::array::from_fn(|_| {
            random.random_range(weather.delay_us_min..=weather.delay_us_max)
                + random.random_range(0..=late_us_max)
        });
        delays.into_iter().take(copies)
    }

    /// Draws the delay of a call or its answer, which its connection neither loses nor repeats.
    pub fn call_delay_us(&self, random: &mut ChaCha8Rng) -> u64 {
        let Weather { delay_us_min, delay_us_max, .. } = self.weather;
        random.random_range(delay_us_min..=delay_us_max)
    }
}
