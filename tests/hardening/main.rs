//! What surrounds a run fails: the tester's disk, its clock, PD, one store or all; somebody
//! interrupts it; or there are far more clients and regions than anybody needs.
//!
//! Whatever it is, the run ends with a clear verdict or a clear sentence and its exit code, leaves
//! a history that `check` accepts, does not panic, leaves no process, and never calls valid what
//! tested nothing. What a machine does not offer (mounts, the `faketime` library) is said and left
//! out.

mod clock;
mod disk;
mod ended;
mod many;
mod nights;
mod tester;
mod unreachable;
