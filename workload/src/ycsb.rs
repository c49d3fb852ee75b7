//! go-ycsb's workload A: half reads, half updates, with go-ycsb's key names.

use super::{Values, keys::Chooser};
use histories::{Key, Operation};
use rand::RngExt;
use rand_chacha::ChaCha12Rng;

/// The prefix of every key: go-ycsb's table and its key prefix.
pub const PREFIX: &[u8] = b"usertable:user";

/// Draws half reads, half updates.
#[derive(Debug)]
pub struct YcsbA {
    rng: ChaCha12Rng,
    chooser: Chooser,
}

impl YcsbA {
    pub fn new(rng: ChaCha12Rng, chooser: Chooser) -> Self {
        Self { rng, chooser }
    }

    pub fn choose(&mut self) -> Key {
        self.chooser.choose(&mut self.rng)
    }

    pub fn next(&mut self, values: &mut Values) -> Operation {
        let key = self.choose();
        if self.rng.random() {
            Operation::Get { key }
        } else {
            Operation::Put { key, value: values.fresh(), ttl_s: None }
        }
    }
}

/// The name of a numbered key: YCSB hashes the number (64-bit FNV-1a), so that neighbours are far
/// apart.
pub fn key(number: u64) -> Key {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = number
        .to_be_bytes()
        .iter()
        .fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    // The absolute value of a signed number, as in YCSB.
    let mut key = PREFIX.to_vec();
    key.extend_from_slice(hash.cast_signed().unsigned_abs().to_string().as_bytes());
    key
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_key_has_ycsbs_name() {
        assert_eq!(super::key(0), b"usertable:user6284781860667377211");
    }
}
