//! `export`: writes a history for Jepsen and Knossos, a register (a key) at a time.
//!
//! In: a history in any format that we read. Out: EDN, on stdout for one key, otherwise a file for
//! each. Operations that EDN cannot express are refused, or counted on stderr (`histories::export`
//! lists them). Judges nothing.

use crate::{cli::ExportArgs, commands::check};
use failure::{Exit, Failure};
use histories::{
    Key, ReadError, ReadOptions,
    export::{Keys, Splitter, edn},
    jsonl::Text,
};
use judge::counterexamples::file_name;
use run_directory::plain_file;
use std::path::Path;

/// Exports a history.
pub fn command(args: &ExportArgs) -> Result<Exit, Failure> {
    let path = check::history(&args.history)?;
    let keys = read(&path, args.reading.options(), !args.history.is_dir())?;
    match (&args.key, &args.out) {
        (Some(name), _) => one(&keys, &name.as_bytes().to_vec())?,
        (None, Some(folder)) => all(&keys, folder)?,
        (None, None) if keys.calls.len() == 1 => {
            let only = keys.calls.keys().next().cloned().unwrap_or_default();
            one(&keys, &only)?;
        }
        (None, None) => {
            return Err(Failure::usage(format!(
                "the history has {} keys, and Knossos reads one register at a time: name one with --key, or a folder \
                 for all of them with --out",
                keys.calls.len()
            )));
        }
    }
    if keys.left_out > 0 {
        terminal::note(format_args!(
            "left out: {} keys that key-only scans returned, without a value",
            keys.left_out
        ));
    }
    Ok(Exit::Valid)
}

fn read(path: &Path, options: ReadOptions, named: bool) -> Result<Keys, Failure> {
    let refused = |error: ReadError| {
        let exit = if matches!(error, ReadError::Io(_)) { Exit::NoInput } else { Exit::Malformed };
        Failure::new(exit, format!("{}: {error}", path.display()))
    };
    let mut splitter = Splitter::default();
    let open = if named { histories::source::open } else { histories::source::open_found };
    let source = open(path, options).map_err(refused)?;
    let heard = source.visit(|event| {
        splitter.observe(event);
        Ok::<(), ReadError>(())
    });
    heard.map_err(refused)?;
    Ok(splitter.finish())
}

/// Returns the text that stands for a key in messages and in a file's name.
fn shown(key: &Key) -> String {
    Text(key.clone()).to_string()
}

fn one(keys: &Keys, key: &Key) -> Result<(), Failure> {
    let Some(calls) = keys.calls.get(key) else {
        return Err(Failure::usage(format!("the history does not mention the key {}", shown(key))));
    };
    if keys.with_ttl.contains(key) {
        return Err(Failure::usage(format!(
            "the key {} was put with a TTL: no register of Knossos forgets its value, so it cannot be exported",
            shown(key)
        )));
    }
    terminal::data(edn::text(&shown(key), calls).trim_end());
    Ok(())
}

fn all(keys: &Keys, folder: &Path) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::target_or_disk(format!("cannot write to {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(cannot)?;
    let mut written = 0;
    for (number, (key, calls)) in keys.calls.iter().enumerate() {
        if keys.with_ttl.contains(key) {
            continue;
        }
        // The number distinguishes keys whose names look the same in a file's name.
        let name = format!("{number}-{}.edn", file_name(&shown(key)));
        plain_file::write(&folder.join(name), edn::text(&shown(key), calls).as_bytes())
            .map_err(cannot)?;
        written += 1;
    }
    terminal::result(format_args!("{written} keys are in {}", folder.display()));
    if !keys.with_ttl.is_empty() {
        terminal::note(format_args!(
            "left out: {} keys that were put with a TTL",
            keys.with_ttl.len()
        ));
    }
    Ok(())
}
