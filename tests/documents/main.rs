//! Executes every command that README and the book show, on the built binary.
//!
//! Each runs through a shell in a folder where what it names is at hand ([`place`]): runs,
//! settings, a cluster, stand-ins for TiKV's programs. What would take minutes is
//! [shortened](shortened); what goes on until somebody ends it is ended by Ctrl-C. A command passes
//! if it was carried out: its exit code is a verdict, not a refusal, and nothing panicked.
//! docs/walkthrough.md is executed by `tests/walkthrough.rs`, in order, and what it shows compared.

mod place;
mod shortened;

use place::Place;
use shortened::{Way, shortened};
use std::{collections::BTreeSet, path::Path};

/// Verdicts: valid, invalid, unknown, stuck.
const CARRIED_OUT: [i32; 4] = [0, 1, 2, 3];
/// What was ended before it had one.
const INTERRUPTED: i32 = 130;

/// The commands of the blocks of code of a document.
fn commands(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in document.replace("\\\n", " ").lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if (fenced || line.starts_with("    ")) && !line.contains('…') {
            let line = line.trim().trim_start_matches("$ ");
            // What stands behind two blanks or a sharp explains it.
            let command = line.split("  ").next().and_then(|line| line.split(" # ").next());
            found.extend(command.filter(|it| it.starts_with("jepsen-tikv ")).map(str::to_owned));
        }
    }
    found
}

/// All of them, each once, but those that the walk-through has as well.
fn documented() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).expect("there is a book");
    let pages = pages.map(|page| page.expect("an entry").path());
    let pages = pages.filter(|page| {
        page.extension().is_some_and(|it| it == "md") && !page.ends_with("walkthrough.md")
    });
    let read = |page| commands(&std::fs::read_to_string(page).expect("text"));
    let walked = read(root.join("docs/walkthrough.md"));
    let all: BTreeSet<String> = pages.chain([root.join("README.md")]).flat_map(read).collect();
    all.into_iter().filter(|command| !walked.contains(command)).collect()
}

#[test]
fn every_command_of_the_documents_is_carried_out() {
    let documented = documented();
    assert!(documented.len() > 60, "only {} commands were found", documented.len());
    let mut place = Place::new();
    let mut failed = Vec::new();
    for (number, command) in documented.iter().enumerate() {
        let (line, way) = shortened(command, &place.pd, number);
        place.before(command);
        let ended = match way {
            Way::Run => place.run(&line),
            Way::Interrupt => place.interrupt(&line),
            Way::Elsewhere(test) => {
                println!("{command}: {test}");
                continue;
            }
        };
        place.after(command);
        println!("{command}\n  as {line}: {:?}", ended.code);
        let is_interrupted = matches!(way, Way::Interrupt) && ended.code == Some(INTERRUPTED);
        let carried_out =
            is_interrupted || ended.code.is_some_and(|code| CARRIED_OUT.contains(&code));
        if !carried_out || ended.said.contains("panicked") {
            failed.push(format!("{command}\n  as {line}: {:?}\n{}", ended.code, ended.said));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
