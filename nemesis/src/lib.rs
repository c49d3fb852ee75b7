//! Faults: what hurts, when, whom, and always healing
