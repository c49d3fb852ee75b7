//! Many runs: a plan carried out again and again, drawn at random, made smaller, or one of a night's matrix.
//!
//! In: plans and options. Out: run directories, and what all of them say together. An attempt on real processes is this
//! program again, started as a process of its own; one in virtual time runs in this process. Knows no flags: a night
//! gets the reader of them from whoever begins it.

pub mod attempts;
pub mod fuzz;
pub mod nightly;
pub mod parts;
pub mod replay;
pub mod self_test;
pub mod shrink;
