//! Histories of other projects, with the verdict that each must have: `histories/imported`.
//! Whatever such a file is cut to or changed to, it is judged or refused, never a panic; and what a
//! correct system gave is never invalid because its end is missing.

#![allow(clippy::disallowed_methods)] // The ban on files is for the checker, not for its tests.

use checker::{Collector, Engine, Options, Validity, check};
use histories::{ReadError, ReadOptions, source};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../histories/imported")
}

fn expected() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder().join("EXPECTED.toml")).expect("an EXPECTED.toml");
    toml::from_str(&text).expect("file = verdict")
}

fn judged(path: &Path, engine: Engine) -> Result<Validity, ReadError> {
    let source = source::open(path, ReadOptions::default())?;
    let mut collector = Collector::new();
    source.visit(|event| {
        let line = event.index;
        collector.observe(event).map_err(|reason| ReadError::Malformed { line, reason })
    })?;
    let options = Options { engine, ..Options::default() };
    Ok(check(&collector.finish(), &options).validity)
}

#[test]
fn every_file_has_a_verdict_and_every_verdict_a_file() {
    let mut files = Vec::new();
    for kind in std::fs::read_dir(folder()).expect("the folder").flatten() {
        let Ok(entries) = std::fs::read_dir(kind.path()) else { continue };
        let kind = kind.file_name().to_string_lossy().into_owned();
        let name = |entry: std::fs::DirEntry| format!("{kind}/{}", entry.file_name().display());
        files.extend(entries.flatten().map(name));
    }
    files.sort();
    assert_eq!(files, expected().into_keys().collect::<Vec<_>>());
}

#[test]
fn every_engine_says_what_is_expected_of_imports() {
    let mut judgements = 0;
    for (name, expected) in expected() {
        let path = folder().join(&name);
        for engine in [Engine::Auto, Engine::Search, Engine::Porcupine] {
            match (expected.as_str(), judged(&path, engine)) {
                // That nothing was tested is for whoever asks the checker.
                ("valid" | "unknown", Ok(Validity::Valid)) | ("invalid", Ok(Validity::Invalid)) => {
                }
                (refused, Err(_)) if refused.starts_with("refused: ") => {}
                (_, said) => panic!("{name}, {engine:?}: {said:?}, expected {expected}"),
            }
            judgements += 1;
        }
    }
    assert!(judgements >= 300);
}

#[test]
fn a_missing_end_accuses_nobody() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut cuts = 0;
    for (name, _) in expected().into_iter().filter(|(_, verdict)| verdict == "valid") {
        let whole = std::fs::read(folder().join(&name)).expect("readable");
        let step = if whole.len() > 1000 { 7 } else { 1 };
        for end in (0..whole.len()).step_by(step) {
            std::fs::write(file.path(), &whole[..end]).expect("written");
            if let Ok(said) = judged(file.path(), Engine::Auto) {
                assert_eq!(said, Validity::Valid, "{name}, cut to {end} bytes");
            }
            cuts += 1;
        }
    }
    assert!(cuts > 10_000, "{cuts}");
}

fn names() -> Vec<String> {
    expected().into_keys().filter(|name| !name.ends_with("-deep.edn")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_files_are_judged_or_refused(
        name in proptest::sample::select(names()),
        changes in proptest::collection::vec(
            (any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), 0..4_u8, proptest::sample::select(
                b"\0\n\t \"{}[](),:#_-0123456789nNilokfa\\\xff".to_vec(),
            )),
            1..6,
        ),
    ) {
        let mut bytes = std::fs::read(folder().join(&name)).expect("readable");
        for (at, other, kind, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let (at, other) = (at.index(bytes.len()), other.index(bytes.len()));
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.drain(at.min(other)..at.max(other))),
                _ => {
                    let piece = bytes[at.min(other)..at.max(other)].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &bytes).expect("written");
        // A verdict or a refusal: it ends without a panic.
        let said = judged(file.path(), Engine::Auto);
        if let Err(error) = said {
            prop_assert!(!matches!(error, ReadError::Io(_)), "{error}");
        }
    }
}
