//! The systems under test. [`under_test`] is what a run sees of one, whoever started it; [`cluster_processes`] is what it
//! needs of whoever did. [`embedded`] starts its own out of [`processes`].

mod attached;
mod binaries;
pub mod cluster_processes;
mod configuration_files;
pub mod consent;
pub mod embedded;
pub mod listening;
mod playground;
pub mod processes;
pub mod splitting;
pub mod survey;
pub mod under_test;
pub mod undo;
pub mod wholeness;
