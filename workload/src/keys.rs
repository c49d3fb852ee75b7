//! Chooses keys: uniform, or zipfian with YCSB's constant, the popular keys spread over the key
//! space.

use histories::Key;
use plan::config::Distribution;
use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use rand_distr::{Distribution as _, Zipf};
use std::sync::Arc;

/// YCSB's zipfian constant.
const ZIPFIAN_CONSTANT: f64 = 0.99;

/// Draws keys.
#[derive(Debug)]
pub struct Chooser {
    keys: Arc<[Key]>,
    /// The zipfian distribution; `None` = uniform.
    zipf: Option<Zipf<f64>>,
}

impl Chooser {
    /// A chooser from these keys.
    pub fn new(distribution: Distribution, keys: Arc<[Key]>) -> Self {
        let zipf = match distribution {
            Distribution::Uniform => None,
            // Fails only for no keys or a negative constant; the configuration has at least one
            // key.
            Distribution::Zipfian => Zipf::new(keys.len() as f64, ZIPFIAN_CONSTANT).ok(),
        };
        Self { keys, zipf }
    }

    /// The next key. The keys' names are hashed, so the popular ranks are spread over the key
    /// space.
    pub fn choose(&self, rng: &mut ChaCha12Rng) -> Key {
        let index = match &self.zipf {
            None => rng.random_range(0..self.keys.len()),
            Some(zipf) => (zipf.sample(rng) as usize).clamp(1, self.keys.len()) - 1,
        };
        self.keys[index].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn zipfian_prefers_the_first_and_uniform_prefers_none() {
        let keys: Arc<[Key]> = (0..100_u8).map(|key| vec![key]).collect();
        let share_of_first = |distribution| {
            let chooser = Chooser::new(distribution, Arc::clone(&keys));
            let mut rng = ChaCha12Rng::seed_from_u64(1);
            (0..10_000).filter(|_| chooser.choose(&mut rng) == [0]).count()
        };
        let zipfian = share_of_first(Distribution::Zipfian);
        let uniform = share_of_first(Distribution::Uniform);
        // With constant 0.99 over 100 keys the first has about 19 %; uniform 1 %.
        assert!((1_500..2_400).contains(&zipfian), "{zipfian}");
        assert!((50..200).contains(&uniform), "{uniform}");
    }
}
