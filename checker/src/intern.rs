//! Numbers for byte strings: keys, and the values of each key.
//!
//! In: bytes within a scope (0 for keys, a key's number for its values). Out: a number, the same
//! for the same bytes in the same scope, and the bytes back. Every string is kept once, in one
//! arena, with 16 bytes beside it and a slot in a hash table; the slot holds the hash, so that a
//! growing table does not go through the arena. The hash is fixed, so numbers are the same on every
//! machine. It does not know what the bytes mean.

use std::hash::Hasher;
use std::sync::OnceLock;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

#[derive(Debug, Clone, Default)]
pub(crate) struct Interner {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    table: HashTable<Slot>,
    by_scope: OnceLock<ByScope>,
}

/// A string; it ends where the next one starts.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u64,
    scope: u32,
    number: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    entry: u32,
    hash: u32,
}

/// The entries in the order of their scopes, made when somebody first asks for a scope.
#[derive(Debug, Clone, Default)]
struct ByScope {
    entries: Vec<u32>,
    /// Where each scope begins in `entries`, and where the last one ends.
    starts: Vec<u32>,
}

impl Interner {
    /// The number of `bytes` in `scope`; `fresh` numbers them if they are new there.
    pub(crate) fn intern(&mut self, scope: u32, bytes: &[u8], fresh: impl FnOnce() -> u32) -> u32 {
        let hash = hash(scope, bytes);
        let same = |slot: &Slot| {
            let entry = self.entries[slot.entry as usize];
            slot.hash == hash && entry.scope == scope && self.bytes(slot.entry) == bytes
        };
        if let Some(slot) = self.table.find(spread(hash), same) {
            return self.entries[slot.entry as usize].number;
        }
        let entry = Entry { start: self.arena.len() as u64, scope, number: fresh() };
        self.arena.extend_from_slice(bytes);
        let at = u32::try_from(self.entries.len()).expect("fewer than 2^32 different strings");
        self.entries.push(entry);
        let slot = Slot { entry: at, hash };
        self.table.insert_unique(spread(hash), slot, |slot| spread(slot.hash));
        self.by_scope = OnceLock::new();
        entry.number
    }

    /// Every string of a scope with its number, in the order in which they came.
    pub(crate) fn scope(&self, scope: u32) -> impl Iterator<Item = (u32, &[u8])> {
        let by_scope = self.by_scope.get_or_init(|| ByScope::of(&self.entries));
        let bound = |scope: usize| by_scope.starts.get(scope).map_or(0, |start| *start as usize);
        let range = bound(scope as usize)..bound(scope as usize + 1);
        let entries = by_scope.entries.get(range).unwrap_or_default();
        entries.iter().map(|entry| (self.entries[*entry as usize].number, self.bytes(*entry)))
    }

    fn bytes(&self, entry: u32) -> &[u8] {
        let entry = entry as usize;
        let end = self.entries.get(entry + 1).map_or(self.arena.len(), |next| next.start as usize);
        &self.arena[self.entries[entry].start as usize..end]
    }
}

impl ByScope {
    fn of(entries: &[Entry]) -> Self {
        let scopes = entries.iter().map(|entry| entry.scope as usize + 1).max().unwrap_or(0);
        let mut starts = vec![0; scopes + 1];
        for entry in entries {
            starts[entry.scope as usize + 1] += 1;
        }
        for scope in 0..scopes {
            starts[scope + 1] += starts[scope];
        }
        let mut next = starts.clone();
        let mut ordered = vec![0; entries.len()];
        for (at, entry) in (0..).zip(entries) {
            let place = &mut next[entry.scope as usize];
            ordered[*place as usize] = at;
            *place += 1;
        }
        Self { entries: ordered, starts }
    }
}

fn hash(scope: u32, bytes: &[u8]) -> u32 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(scope);
    hasher.write(bytes);
    let hash = hasher.finish();
    (hash ^ (hash >> 32)) as u32
}

/// Makes 64 bits of 32: the table takes its places from the lowest and its marks from the highest.
fn spread(hash: u32) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let product = u64::from(hash).wrapping_mul(ODD);
    product ^ (product >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_bytes_have_the_same_number_within_a_scope_only() {
        let mut interner = Interner::default();
        let mut next = 0;
        let mut number = |scope, bytes: &[u8]| {
            interner.intern(scope, bytes, || {
                next += 1;
                next
            })
        };
        assert_eq!(number(1, b"a"), 1);
        assert_eq!(number(1, b""), 2);
        assert_eq!(number(2, b"a"), 3);
        assert_eq!(number(1, b"a"), 1);
        assert_eq!(number(2, b"a"), 3);
        assert_eq!(number(4, b"abc"), 4);
        let scope = |scope| interner.scope(scope).collect::<Vec<_>>();
        assert_eq!(scope(1), [(1, b"a".as_slice()), (2, b"".as_slice())]);
        assert_eq!(scope(2), [(3, b"a".as_slice())]);
        assert_eq!(scope(4), [(4, b"abc".as_slice())]);
        for none in [0, 3, 5, 1_000] {
            assert_eq!(scope(none), []);
        }
    }

    #[test]
    fn a_string_that_comes_after_a_scope_was_asked_for_is_there() {
        let mut interner = Interner::default();
        interner.intern(1, b"a", || 7);
        assert_eq!(interner.scope(1).count(), 1);
        interner.intern(1, b"b", || 8);
        assert_eq!(interner.scope(1).collect::<Vec<_>>(), [(7, b"a".as_slice()), (8, b"b")]);
    }
}
