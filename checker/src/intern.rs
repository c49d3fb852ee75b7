//! Numbers for byte strings: keys, and the values of each key.
//!
//! In: bytes within a scope (0 for keys, a key's number for its values). Out: a number, the same for the same
//! bytes in the same scope, and the bytes back. Every string is kept once, in one arena; the hash is fixed, so
//! numbers are the same on every machine. It does not know what the bytes mean.

use std::hash::Hasher;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

#[derive(Debug, Default)]
pub(crate) struct Interner {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    table: HashTable<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u64,
    length: u32,
    scope: u32,
    number: u32,
}

impl Interner {
    /// The number of `bytes` in `scope`; `fresh` numbers them if they are new there.
    pub(crate) fn intern(&mut self, scope: u32, bytes: &[u8], fresh: impl FnOnce() -> u32) -> u32 {
        let Self { arena, entries, table } = self;
        let same = |at: &u32| {
            let entry = &entries[*at as usize];
            entry.scope == scope && entry.bytes(arena) == bytes
        };
        if let Some(at) = table.find(hash(scope, bytes), same) {
            return entries[*at as usize].number;
        }
        let entry = Entry {
            start: arena.len() as u64,
            length: u32::try_from(bytes.len()).expect("a key or a value is shorter than 4 GiB"),
            scope,
            number: fresh(),
        };
        arena.extend_from_slice(bytes);
        let at = u32::try_from(entries.len()).expect("fewer than 2^32 different strings");
        entries.push(entry);
        table.insert_unique(hash(scope, bytes), at, |at| {
            let entry = &entries[*at as usize];
            hash(entry.scope, entry.bytes(arena))
        });
        entry.number
    }

    /// Every string of a scope with its number, in the order in which they came.
    pub(crate) fn scope(&self, scope: u32) -> impl Iterator<Item = (u32, &[u8])> {
        let in_scope = self.entries.iter().filter(move |entry| entry.scope == scope);
        in_scope.map(|entry| (entry.number, entry.bytes(&self.arena)))
    }
}

impl Entry {
    fn bytes<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        &arena[start..start + self.length as usize]
    }
}

fn hash(scope: u32, bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(scope);
    hasher.write(bytes);
    hasher.finish()
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
        let scope: Vec<_> = interner.scope(1).collect();
        assert_eq!(scope, [(1, b"a".as_slice()), (2, b"".as_slice())]);
    }
}
