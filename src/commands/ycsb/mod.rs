//! `load` and `ycsb`: go-ycsb's `load tikv` and `run tikv`, with its options and output, on any
//! TiKV.
//!
//! Flow: `-P` and `-p` → [`properties`] → [`settings`] → [`drive`] works on a [`table`] with
//! [`records`] stored as [`row`]s → go-ycsb's lines. There is no history and no verdict: `test` and
//! `scenario` have those. A failure is never counted as a success, and an incomplete load ends with
//! an error.

mod drive;
mod go;
mod properties;
mod records;
mod row;
pub(crate) mod settings;
mod shipped;
mod table;

use crate::{cli::YcsbArgs, commands::pd_endpoints};
use drive::Driven;
use failure::{Exit, Failure};
use records::Records;
use run::interrupt::Interrupt;
use settings::{Requests, Settings};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use table::Table;

pub use properties::Properties;

/// Loads the records.
pub fn load(args: &YcsbArgs) -> Result<Exit, Failure> {
    let (table, driven) = carry_out(args, true)?;
    let wanted = table.settings.operation_count;
    let loaded = driven.succeeded;
    if loaded == wanted {
        return Ok(Exit::Valid);
    }
    if driven.interrupted {
        let sentence = format!("interrupted: {loaded} of {wanted} records are loaded");
        return Err(Failure::new(Exit::Interrupted, sentence));
    }
    let error = driven.last_error.unwrap_or_else(|| "the time was over".into());
    Err(Failure::target_or_disk(format!(
        "the load failed, {loaded} of {wanted} records are loaded: {error}"
    )))
}

/// Runs the workload.
pub fn run(args: &YcsbArgs) -> Result<Exit, Failure> {
    let (table, driven) = carry_out(args, false)?;
    let absent = table.absent.load(Ordering::Relaxed);
    if absent > 0 {
        terminal::note(format_args!(
            "note: {absent} operations met records that are not there, counted as errors and not created again; \
             jepsen-tikv count says how many there are, recordcount is {}",
            table.settings.record_count
        ));
    }
    let corrupt = table.corrupt.load(Ordering::Relaxed);
    if corrupt > 0 {
        let sentence = format!("{corrupt} values read are not those that were written");
        return Err(Failure::new(Exit::Invalid, sentence));
    }
    if driven.abandoned {
        return Err(Failure::new(Exit::Interrupted, "interrupted twice"));
    }
    match driven.last_error {
        Some(error) if driven.succeeded == 0 => {
            Err(Failure::target_or_disk(format!("no operation succeeded: {error}")))
        }
        _ => Ok(Exit::Valid),
    }
}

fn carry_out(args: &YcsbArgs, loads: bool) -> Result<(Arc<Table>, Driven), Failure> {
    let mut properties = Properties::of(args)?;
    properties.set("dotransactions", if loads { "false" } else { "true" });
    properties.set("command", if loads { "load" } else { "run" });
    let table = properties.text("table", "usertable");
    properties.set("table", &table);
    let settings = Settings::of(&properties, loads)?;
    for name in settings::unknown_names(&properties) {
        terminal::note(format_args!("note: nothing here knows the property {name}"));
    }
    let pd = pd_endpoints::choose(&args.pd, properties.get("tikv.pd"))?;
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::software)?;
    let result = runtime.block_on(async {
        pd_endpoints::check(&pd).await?;
        let interrupt = Interrupt::listen().map_err(Failure::software)?;
        say_what_is_done(&properties, &settings);
        let table = Arc::new(Table {
            records: Records::of(&settings),
            settings,
            library: pd_endpoints::library(args.client, &pd, args.op_timeout()),
            op_timeout: args.op_timeout(),
            measurement: Mutex::default(),
            corrupt: AtomicU64::new(0),
            absent: AtomicU64::new(0),
        });
        let driven = drive::drive(&table, loads, &interrupt).await;
        terminal::result(go::RULE);
        terminal::result(format_args!("Run finished, takes {}", go::duration(driven.took)));
        drive::report(&table, driven.took);
        Ok((table, driven))
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

fn say_what_is_done(properties: &Properties, settings: &Settings) {
    let distribution = match settings.requests {
        Requests::Uniform => "uniform",
        Requests::Sequential => "sequential",
        Requests::Zipfian => "zipfian",
        Requests::Latest => "latest",
        Requests::Hotspot { .. } => "hotspot",
    };
    terminal::result(format_args!(
        "Using request distribution '{distribution}' a keyrange of [{} {}]",
        settings.insert_start,
        settings.last_record()
    ));
    go::banner(properties).iter().for_each(terminal::result);
}
