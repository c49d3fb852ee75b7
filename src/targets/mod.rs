//! The systems under test. [`under_test`] is what a run sees of one, whoever started it; [`cluster_processes`] is what it
//! needs of whoever did. [`embedded`] starts its own out of [`processes`].

pub mod cluster_processes;
pub mod embedded;
pub mod processes;
pub mod splitting;
pub mod under_test;
pub mod wholeness;
