//! Tests the matrix of a night with the flags that a user can type.

use super::nightly::read_test_flags;
use campaigns::nightly::{
    Settings,
    matrix::{Matrix, Tried, of},
};

fn settings(lines: &str) -> Settings {
    toml::from_str(lines).expect("settings")
}

#[test]
fn the_default_matrix_is_possible_and_the_seed_decides_its_order() {
    let matrix = of(&Settings::default(), 7, read_test_flags).expect("possible");
    assert_eq!(matrix.cells.len(), 2 * 13 * 2 * 2 * 2);
    assert!(matrix.impossible.is_empty(), "{:?}", matrix.impossible);
    let again = of(&Settings::default(), 7, read_test_flags).expect("possible");
    assert_eq!(again.cells, matrix.cells);
    let other = of(&Settings::default(), 8, read_test_flags).expect("possible");
    let labels = |matrix: &Matrix| -> Vec<String> {
        matrix.cells.iter().map(|cell| cell.label.clone()).collect()
    };
    assert_ne!(labels(&other), labels(&matrix));
    assert_ne!(other.cells[0].seed, matrix.cells[0].seed);
}

#[test]
fn the_first_cells_already_use_every_value() {
    let cells = of(&Settings::default(), 3, read_test_flags).expect("possible").cells;
    let most = Settings::default().nemeses.len();
    for (axis, (flag, values)) in Settings::default().axes().into_iter().enumerate() {
        for (at, value) in values.iter().enumerate() {
            let early = cells[..most].iter().any(|cell| cell.place[axis] == at);
            assert!(early, "{flag} {value} comes late");
        }
    }
}

#[test]
fn cells_that_earlier_nights_ran_come_last_and_the_seed_decides_between_equals() {
    let mut matrix = of(&Settings::default(), 3, read_test_flags).expect("possible");
    let drawn = matrix.cells.clone();
    matrix.least_tried_first(3, &Tried::new());
    assert_eq!(matrix.cells, drawn, "nothing was tried yet");
    // Three nights of 60 cells, and then one that has room for the rest.
    let mut tried = Tried::new();
    for seed in 0..4 {
        let mut night = of(&Settings::default(), seed, read_test_flags).expect("possible");
        night.least_tried_first(seed, &tried);
        for cell in &night.cells[..drawn.len().min(60)] {
            *tried.entry(cell.label.clone()).or_default() += 1;
        }
    }
    assert_eq!(tried.len(), drawn.len(), "every cell ran");
    assert!(tried.values().all(|times| *times <= 2), "{tried:?}");
}

#[test]
fn a_value_may_bring_flags_of_its_own() {
    let settings = settings(
        "workloads = [\"register --keys 3\"]\nnemeses = [\"none\"]\ntargets = [\"embedded --defect cas-race\"]\n\
         profiles = [\"tikv --time 90\"]\nclients = [\"direct\"]",
    );
    let cells = of(&settings, 1, read_test_flags).expect("possible").cells;
    assert_eq!(cells.len(), 1);
    assert_eq!(cells[0].label, "register-keys-3.none.embedded-defect-cas-race.tikv-time-90.direct");
    assert_eq!(cells[0].time_ms, 90_000);
}

#[test]
fn what_some_combinations_cannot_is_said_and_what_none_can_is_refused() {
    let mut some = Settings { profiles: vec!["fast".into()], ..Settings::default() };
    some.targets = vec!["embedded".into(), "embedded --stores 3 --replicas 3".into()];
    let matrix = of(&some, 1, read_test_flags).expect("possible");
    assert!(!matrix.impossible.is_empty(), "raising the replicas needs five stores");
    assert!(matrix.impossible.iter().all(|(label, _)| label.contains("stores-3")));
    for (lines, named) in [
        ("nemeses = [\"earthquake\"]", "earthquake"),
        ("workloads = [\"ycsb-a --no-such-flag\"]", "--no-such-flag"),
    ] {
        let refused = of(&settings(lines), 1, read_test_flags).expect_err("refused");
        assert!(refused.sentence.contains(named), "{refused}");
    }
}
