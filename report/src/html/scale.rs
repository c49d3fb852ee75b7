//! The time axis of a counterexample's picture: to scale between two marks, cut where nothing was
//! open.
//!
//! In: operations, and further moments that deserve a mark. Out: places. A bar is never too thin to
//! be seen, since neighbouring marks are kept apart.

use super::facts::Wanted;
use std::collections::BTreeSet;

/// The picture's width, and what is left free beside the time.
pub const WIDTH: f64 = 1_000.0;
/// Names of lanes stand here.
pub const LEFT: f64 = 96.0;
/// Free at the end.
pub const RIGHT: f64 = 24.0;
/// A letter is about so wide.
pub const LETTER: f64 = 6.7;
/// Nothing open for longer than this part of the time in which something was: it is cut to this
/// part.
const CUT_PART: f64 = 0.6;
/// Two marks are at least so far apart.
const APART_MIN: f64 = 16.0;
/// So many further moments get a mark.
const EXTRA_MAX: usize = 500;

/// From moments to places: linear between two neighbouring marks.
pub struct Scale {
    /// Moments and their places, ascending.
    pub marks: Vec<(u64, f64)>,
    /// Where time is cut.
    pub cuts: Vec<f64>,
}

impl Scale {
    /// A scale for these operations; the extra moments inside get marks too. `end_ns` is the run's
    /// end.
    pub fn new(operations: &[&Wanted], extra: &BTreeSet<u64>, end_ns: u64) -> Self {
        let end = |it: &Wanted| it.completed_ns.unwrap_or(end_ns);
        let edges: BTreeSet<u64> =
            operations.iter().flat_map(|it| [it.invoked_ns, end(it)]).collect();
        let (first, last) =
            (edges.first().copied().unwrap_or(0), edges.last().copied().unwrap_or(1));
        let inside: Vec<u64> = extra.range(first..=last).copied().take(EXTRA_MAX + 1).collect();
        // Of more than these none could be told from its neighbours.
        let inside = if inside.len() > EXTRA_MAX { Vec::new() } else { inside };
        let moments: Vec<u64> =
            edges.iter().copied().chain(inside).collect::<BTreeSet<_>>().into_iter().collect();
        // An operation without an end would stretch the picture to the end of the run.
        let busy = |from: u64, to: u64| {
            operations
                .iter()
                .any(|it| it.completed_ns.is_some_and(|done| it.invoked_ns <= from && to <= done))
        };
        let gaps: Vec<(f64, bool)> = moments
            .windows(2)
            .map(|pair| ((pair[1] - pair[0]) as f64, busy(pair[0], pair[1])))
            .collect();
        let busy_total: f64 = gaps.iter().filter(|(_, busy)| *busy).map(|(length, _)| length).sum();
        let limit = (busy_total.max(1.0)) * CUT_PART;
        let lengths: Vec<f64> = gaps
            .iter()
            .map(|(length, busy)| if *busy { *length } else { length.min(limit) })
            .collect();
        let total: f64 = lengths.iter().sum::<f64>().max(1.0);
        let spare = (WIDTH - LEFT - RIGHT - APART_MIN * lengths.len() as f64).max(0.0);
        let (mut x, mut marks, mut cuts) = (LEFT, Vec::new(), Vec::new());
        for (index, moment) in moments.iter().enumerate() {
            marks.push((*moment, x));
            if let Some(length) = lengths.get(index) {
                let wide = APART_MIN + spare * length / total;
                if *length < gaps[index].0 {
                    cuts.push(x + wide / 2.0);
                }
                x += wide;
            }
        }
        // Too many marks: everything is squeezed into the picture.
        let factor = ((WIDTH - LEFT - RIGHT) / (x - LEFT).max(1.0)).min(1.0);
        for place in marks.iter_mut().map(|(_, place)| place).chain(&mut cuts) {
            *place = LEFT + (*place - LEFT) * factor;
        }
        Self { marks, cuts }
    }

    /// A moment's place.
    pub fn x(&self, at_ns: u64) -> f64 {
        let after = self.marks.partition_point(|(moment, _)| *moment <= at_ns);
        match (after.checked_sub(1).map(|before| self.marks[before]), self.marks.get(after)) {
            (None, _) => LEFT - 8.0,
            (Some((_, _)), None) if self.marks.last().is_some_and(|(last, _)| at_ns > *last) => {
                WIDTH - RIGHT + 12.0
            }
            (Some((_, x)), None) => x,
            (Some((from, x)), Some((to, next))) => {
                x + (next - x) * (at_ns - from) as f64 / (to - from).max(1) as f64
            }
        }
    }
}
