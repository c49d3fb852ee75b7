//! Faults: their kinds, times and victims, and the healing that always follows.
//!
//! Flow: fault names → [`Faults`] → [`schedule()`] (pure, seeded, part of plan.json) → [`run()`],
//! which picks stores by role at the moment of injection, hurts a [`Target`] and gives one
//! [`FaultRecord`] per fault. Events of a history go to the [`Observer`].
//!
//! A target pauses local processes with [`PausedProcesses`], which writes a journal first and
//! resumes on every way out; [`heal()`] does it for a tester that was killed.
//!
//! This crate does not know which cluster it hurts, what the clients do, or how a history is
//! judged.

mod action;
mod actions;
mod choreographies;
mod disturb;
mod disturbance;
mod faults;
mod injection;
mod journal;
mod kind;
mod machine;
mod paused;
mod process;
mod record;
mod remote;
mod run;
mod schedule;
mod select;
mod shared_state;
mod target;

pub use action::{Action, PlannedFault, Shape, Whom};
pub use disturbance::{Disturbance, Place};
pub use faults::{Faults, FaultsError};
pub use injection::Asked;
pub use journal::{HealReport, JournalError, heal, left_paused};
pub use kind::{FaultKind, Possible};
pub use machine::{Machine, Whereabouts};
pub use paused::{PauseError, PausedProcesses, Signalled};
pub use process::{ProcessIdentity, ProcessState, SignalError};
pub use record::{FaultRecord, Hurt, RegionChange, Role};
pub use remote::RemoteHost;
pub use run::{NemesisReport, Observer, run};
pub use schedule::{FAULTS_MAX, ScheduleConfig, schedule};
pub use target::{
    Capabilities, Pending, Region, RegionId, SeenProcess, Store, StoreId, Target, TargetError,
};
