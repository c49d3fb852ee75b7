//! The systems under test. [`under_test`] is what a run sees of one, whoever started it; [`embedded`] starts its own
//! out of [`processes`]. Others (binaries, a playground, a cluster that runs already) will be given.

pub mod embedded;
pub mod processes;
pub mod under_test;
pub mod wholeness;
