//! The systems under test. `embedded` starts its own; others will be given.

pub mod embedded;
pub mod processes;
