//! Campaigns of many runs: a plan executed repeatedly, drawn at random, shrunk, or taken from a
//! night's matrix.
//!
//! In: plans and options. Out: run directories, and a summary of all runs. An attempt on real
//! processes is this program again, started as a process of its own; one in virtual time runs in
//! this process. Knows no flags: the caller of a night passes in the parser of flags.

pub mod attempts;
pub mod fuzz;
pub mod nightly;
pub mod parts;
pub mod replay;
pub mod self_test;
pub mod shrink;
