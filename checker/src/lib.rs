//! History + Model + Budget -> Verdict: linearizability, key count, counterexamples
