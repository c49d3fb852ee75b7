//! How many random histories the property tests try.
//!
//! `CHECKER_HISTORIES` says how many each comparison with the exhaustive oracle tries; without it
//! there are a few thousand, for a test that a person waits for. `.ci/run` sets it to a million.

/// So many, or a part of them for what takes longer.
pub(crate) fn histories(parts: u32) -> u32 {
    #[allow(clippy::disallowed_methods)] // Tests may look at the environment; the checker may not.
    let set = std::env::var("CHECKER_HISTORIES");
    let all = set.ok().map_or(5_000, |number| number.parse().expect("a number of histories"));
    (all / parts).max(100)
}
