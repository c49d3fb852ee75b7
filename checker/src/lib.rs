//! History + Model + Budget -> Verdict: linearizability, key count, counterexamples.

pub mod near_linear;
