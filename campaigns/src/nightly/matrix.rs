//! The matrix: every combination of workload, nemesis, target, profile and client mode, in an order
//! drawn from a seed.
//!
//! In: settings, the night's seed, and what earlier nights tried. Out: [`Cell`]s, each a command
//! that a user could type, and the impossible combinations, with reasons. Cells that were tried
//! least come first. Among these, early cells use values that earlier ones did not, so that a short
//! night still sees every value of every axis. Pure: the same input gives the same order and the
//! same seeds of runs.

use super::settings::Settings;
use failure::Failure;
use plan::{
    Plan,
    config::{Config, TargetConfig},
};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, HashMap};

/// One run of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The cell's name, which is also its folder's.
    pub label: String,
    /// The arguments that a user would type after `jepsen-tikv`.
    pub arguments: Vec<String>,
    /// The seed, the last of the arguments.
    pub seed: u64,
    /// The time that clients and faults run side by side, milliseconds.
    pub time_ms: u64,
    /// The cell's index on each axis.
    pub place: Vec<usize>,
}

/// Parses a command line that begins with `test` into the checked configuration of its run.
pub type ReadFlags = fn(&[String]) -> Result<Config, Failure>;

/// All possible runs, in order, and the impossible ones.
#[derive(Debug, Default)]
pub struct Matrix {
    /// The possible runs, in order.
    pub cells: Vec<Cell>,
    /// The impossible combinations: the label, and the sentence that refuses it.
    pub impossible: Vec<(String, String)>,
}

/// The number of times that each cell ran in earlier nights, by label.
pub type Tried = BTreeMap<String, u64>;

impl Matrix {
    /// Puts the cells first that were tried least in earlier nights. The seed, which is that of the
    /// matrix, decides between equals.
    pub fn least_tried_first(&mut self, seed: u64, tried: &Tried) {
        self.cells = ordered(std::mem::take(&mut self.cells), seed, tried);
    }
}

/// Combines the axes. A value that cannot be combined with anything is refused: it is a mistake.
pub fn of(settings: &Settings, seed: u64, read: ReadFlags) -> Result<Matrix, Failure> {
    let axes = settings.axes();
    let mut matrix = Matrix::default();
    for place in places(&axes.map(|(_, values)| values.len())) {
        let values: Vec<(&str, &str)> = axes
            .iter()
            .zip(&place)
            .map(|((flag, values), &at)| (*flag, values[at].as_str()))
            .collect();
        let label = label(&values);
        match cell(&values, settings, (seed, read), &label, &place) {
            Ok(cell) => matrix.cells.push(cell),
            Err(failure) => matrix.impossible.push((label, failure.sentence)),
        }
    }
    refuse_lonely_values(settings, &matrix)?;
    matrix.cells = ordered(matrix.cells, seed, &Tried::new());
    Ok(matrix)
}

/// Returns every combination; the last axis varies fastest.
fn places(lengths: &[usize]) -> Vec<Vec<usize>> {
    lengths.iter().fold(vec![Vec::new()], |places, &length| {
        let longer = |place: &Vec<usize>, at: usize| [place.as_slice(), &[at]].concat();
        places.iter().flat_map(|place| (0..length).map(move |at| longer(place, at))).collect()
    })
}

/// Joins the values to a label, without characters that a folder's name cannot have.
fn label(values: &[(&str, &str)]) -> String {
    let plain = |value: &str| {
        let words = value.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
        let words = words.map(|word| word.trim_matches('-')).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-")
    };
    values.iter().map(|(_, value)| plain(value)).collect::<Vec<_>>().join(".")
}

fn cell(
    values: &[(&str, &str)],
    settings: &Settings,
    (seed, read): (u64, ReadFlags),
    label: &str,
    place: &[usize],
) -> Result<Cell, Failure> {
    let mut arguments = vec!["test".to_owned()];
    for (flag, value) in values {
        arguments.push(format!("--{flag}"));
        arguments.extend(value.split_whitespace().map(str::to_owned));
    }
    if !arguments.iter().any(|word| word == "--time" || word.starts_with("--time=")) {
        arguments.extend(["--time".to_owned(), String::from(settings.time)]);
    }
    // A combination keeps its seed, whatever else is in the settings.
    let own = u64::from(crc32fast::hash(label.as_bytes()));
    let seed = u64::from(ChaCha8Rng::seed_from_u64(seed ^ (own << 32)).random::<u32>());
    arguments.extend(["--fail-fast".to_owned(), "--seed".to_owned(), seed.to_string()]);
    let plan = Plan::draw(read(&arguments)?)?;
    let time_ms = plan.config.time_ms;
    Ok(Cell { label: label.to_owned(), arguments, seed, time_ms, place: place.to_vec() })
}

/// Returns the flags that name a target's programs and hosts, which a plan may not choose. They
/// come from the first of the night's targets of that kind. `None` if there is no such target.
pub fn named_words(
    settings: &Settings,
    target: &TargetConfig,
    read: ReadFlags,
) -> Option<Vec<String>> {
    if matches!(target, TargetConfig::Embedded | TargetConfig::Simulated) {
        return Some(Vec::new());
    }
    let of_settings = settings.targets.iter().filter_map(|text| {
        let words = ["test", "--target"].into_iter().chain(text.split_whitespace());
        Some(read(&words.map(str::to_owned).collect::<Vec<_>>()).ok()?.target)
    });
    let mut alike = of_settings.filter(|it| it.name() == target.name());
    alike.next().map(|it| it.named_words())
}

fn refuse_lonely_values(settings: &Settings, matrix: &Matrix) -> Result<(), Failure> {
    for (axis, (flag, values)) in settings.axes().into_iter().enumerate() {
        let used = |at: usize| matrix.cells.iter().any(|cell| cell.place[axis] == at);
        let Some(lonely) = (0..values.len()).find(|&at| !used(at)) else { continue };
        let part = label(&[(flag, &values[lonely])]);
        let about = |label: &str| label.split('.').nth(axis) == Some(&part);
        let reason = matrix.impossible.iter().find(|(label, _)| about(label));
        return Err(Failure::usage(format!(
            "the {flag} {:?} of the settings cannot be run: {}",
            values[lonely],
            reason.map_or("no combination is left", |(_, sentence)| sentence.as_str())
        )));
    }
    Ok(())
}

/// Orders cells: each next one is the one that was tried least in earlier nights. Among these it is
/// the one whose values were used least so far, and the seed decides between equals.
fn ordered(mut cells: Vec<Cell>, seed: u64, tried: &Tried) -> Vec<Cell> {
    // The same cells are shuffled to the same order, wherever they stood.
    cells.sort_by(|a, b| a.place.cmp(&b.place));
    cells.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut used: HashMap<(usize, usize), u64> = HashMap::new();
    let mut order = Vec::with_capacity(cells.len());
    while !cells.is_empty() {
        let known = |cell: &Cell| -> (u64, u64) {
            let times = |at| used.get(&at).copied().unwrap_or_default();
            let of_values = cell.place.iter().copied().enumerate().map(times).sum();
            (tried.get(&cell.label).copied().unwrap_or_default(), of_values)
        };
        let next = (0..cells.len()).min_by_key(|&at| known(&cells[at])).unwrap_or_default();
        let cell = cells.remove(next);
        for at in cell.place.iter().copied().enumerate() {
            *used.entry(at).or_default() += 1;
        }
        order.push(cell);
    }
    order
}
