//! The simulated network: how long a message is on its way, and whether it arrives.
//!
//! In: who sends to whom, and chance. Out: a delay, or nothing. A cut is one-way; whoever wants a partition cuts both
//! ways. Messages overtake each other, for each has a delay of its own.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Who sends or receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// The placement driver.
    Pd,
    /// A store.
    Store(u64),
    /// All clients.
    Clients,
}

/// How the network is, for messages between stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// The shortest delay, microseconds.
    pub delay_us_min: u64,
    /// The longest usual delay, microseconds.
    pub delay_us_max: u64,
    /// How many messages in a thousand are lost.
    pub lost_per_mille: u32,
    /// How many in a thousand arrive twice.
    pub twice_per_mille: u32,
    /// How many in a thousand are late.
    pub late_per_mille: u32,
    /// How late they are at most, microseconds.
    pub late_us_max: u64,
}

impl Weather {
    /// A local network that works: rarely something is late, nothing is lost.
    pub const FAIR: Self = Self {
        delay_us_min: 100,
        delay_us_max: 600,
        lost_per_mille: 0,
        twice_per_mille: 0,
        late_per_mille: 2,
        late_us_max: 20_000,
    };
    /// One that does not: slow, with losses and repetitions.
    pub const FOUL: Self = Self {
        delay_us_min: 500,
        delay_us_max: 30_000,
        lost_per_mille: 50,
        twice_per_mille: 20,
        late_per_mille: 50,
        late_us_max: 500_000,
    };
}

/// What became of messages between stores since the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// So many were sent.
    pub sent: u64,
    /// So many of them were lost.
    pub lost: u64,
    /// So many came twice.
    pub twice: u64,
    /// So many copies came late.
    pub late: u64,
}

/// The network's state.
#[derive(Debug)]
pub struct Network {
    pub weather: Weather,
    pub counts: MessageCounts,
    /// How often each way is cut: cuts of several partitions add up.
    cuts: BTreeMap<(Node, Node), u32>,
    /// How much was stopped by cuts, on each way, ever.
    stopped: BTreeMap<(Node, Node), u64>,
}

impl Network {
    /// A network that works.
    pub fn new() -> Self {
        Self {
            weather: Weather::FAIR,
            counts: MessageCounts::default(),
            cuts: BTreeMap::new(),
            stopped: BTreeMap::new(),
        }
    }

    /// Nothing gets from the one to the other any more.
    pub fn cut(&mut self, from: Node, to: Node) {
        *self.cuts.entry((from, to)).or_default() += 1;
    }

    /// One cut of this way is mended.
    pub fn mend(&mut self, from: Node, to: Node) {
        if let Some(times) = self.cuts.get_mut(&(from, to)) {
            *times -= 1;
            if *times == 0 {
                self.cuts.remove(&(from, to));
            }
        }
    }

    /// Whether something that goes from the one to the other gets there; counted if not.
    pub fn carries(&mut self, from: Node, to: Node) -> bool {
        let carries = self.cuts.is_empty() || !self.cuts.contains_key(&(from, to));
        if !carries {
            *self.stopped.entry((from, to)).or_default() += 1;
        }
        carries
    }

    /// How much was stopped by cuts on this way, ever.
    pub fn stopped(&self, from: Node, to: Node) -> u64 {
        self.stopped.get(&(from, to)).copied().unwrap_or_default()
    }

    /// When copies of a message between stores arrive, microseconds from now: none, one or two.
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

    /// How long a call or its answer takes, which its connection neither loses nor repeats.
    pub fn call_delay_us(&self, random: &mut ChaCha8Rng) -> u64 {
        let Weather { delay_us_min, delay_us_max, .. } = self.weather;
        random.random_range(delay_us_min..=delay_us_max)
    }
}
