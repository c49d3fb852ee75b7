//! Faults: what hurts, when, whom, and always healing.
//!
//! Flow: fault names → [`Faults`] → [`schedule()`] (pure, seeded, part of plan.json) → [`run()`], which picks stores by
//! role at the moment of injection, hurts a [`Target`] and gives one [`FaultRecord`] per fault; events of a history go
//! to the [`Observer`]. [`PausedProcesses`] is what a target stops local processes with: it writes a journal first
//! and resumes on every way out; [`heal()`] does it for a tester that was killed.
//! This crate does not know which cluster it hurts, what the clients do, or how a history is judged.

mod action;
mod actions;
mod choreographies;
mod disturb;
mod disturbance;
mod faults;
mod field;
mod injection;
mod journal;
mod kind;
mod paused;
mod process;
mod record;
mod remote;
mod run;
mod schedule;
mod select;
mod target;

pub use action::{Action, PlannedFault, Shape, Whom};
pub use disturbance::{Disturbance, Place};
pub use faults::{Faults, FaultsError};
pub use journal::{HealReport, JournalError, heal};
pub use kind::{FaultKind, Possible};
pub use paused::{PauseError, PausedProcesses};
pub use process::{ProcessIdentity, ProcessState, SignalError};
pub use record::{FaultRecord, Hurt, RegionChange, Role};
pub use remote::RemoteHost;
pub use run::{NemesisReport, Observer, run};
pub use schedule::{ScheduleConfig, schedule};
pub use target::{
    Capabilities, Pending, Region, RegionId, SeenProcess, Store, StoreId, Target, TargetError,
};
