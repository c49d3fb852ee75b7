//! The simulated network: how long a message is on its way, and whether it arrives.
//!
//! In: who sends to whom, and chance. Out: a delay, or nothing. A cut is one-way; whoever wants a partition cuts both
//! ways. Messages overtake each other, for each has a delay of its own.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

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

/// The network's state.
#[derive(Debug)]
pub struct Network {
    pub weather: Weather,
    cuts: BTreeSet<(Node, Node)>,
}

impl Network {
    /// A network that works.
    pub fn new() -> Self {
        Self { weather: Weather::FAIR, cuts: BTreeSet::new() }
    }

    /// Nothing gets from the one to the other any more.
    pub fn cut(&mut self, from: Node, to: Node) {
        self.cuts.insert((from, to));
    }

    /// Every cut is mended.
    pub fn mend(&mut self) {
        self.cuts.clear();
    }

    /// Whether anything gets from the one to the other.
    pub fn connects(&self, from: Node, to: Node) -> bool {
        !self.cuts.contains(&(from, to))
    }

    /// When copies of a message between stores arrive, microseconds from now: none, one or two.
    pub fn deliveries(&self, random: &mut ChaCha8Rng) -> impl Iterator<Item = u64> + use<> {
        let weather = self.weather;
        let mut in_a_thousand = |count: u32| count > 0 && random.random_range(0..1_000) < count;
        let copies = if in_a_thousand(weather.lost_per_mille) {
            0
        } else if in_a_thousand(weather.twice_per_mille) {
            2
        } else {
            1
        };
        let late_us_max =
            if in_a_thousand(weather.late_per_mille) { weather.late_us_max } else { 0 };
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
