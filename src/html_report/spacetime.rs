//! A counterexample as a picture over time: a lane for each client, operations as bars with their values, faults
//! behind, and what the processes of the stores concerned did beneath.
//!
//! In: operations, which of them clash, faults and process states. Out: SVG that needs no script. Time runs from left
//! to right, to scale between two marks; long stretches in which nothing was open are cut, and the cut is shown.

use super::{
    facts::{Facts, Wanted},
    panels::stretches,
};
use crate::{judge::Judgement, observe::ProcessWord, pages::escaped};
use std::{collections::BTreeSet, fmt::Write};

const WIDTH: f64 = 1_000.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 24.0;
const BAR: f64 = 16.0;
const TEXT: f64 = 14.0;
/// A letter is about so wide.
const LETTER: f64 = 6.7;
/// Nothing open for longer than this part of the time in which something was: it is cut to this part.
const CUT_PART: f64 = 0.6;
/// Two marks are at least so far apart.
const APART_MIN: f64 = 16.0;

/// From moments to places: linear between two neighbouring marks.
struct Scale {
    marks: Vec<(u64, f64)>,
    cuts: Vec<f64>,
}

impl Scale {
    fn new(operations: &[&Wanted], extra: &BTreeSet<u64>, end_ns: u64) -> Self {
        let end = |it: &Wanted| it.completed_ns.unwrap_or(end_ns);
        let edges: BTreeSet<u64> =
            operations.iter().flat_map(|it| [it.invoked_ns, end(it)]).collect();
        let (first, last) =
            (edges.first().copied().unwrap_or(0), edges.last().copied().unwrap_or(1));
        let inside = extra.iter().copied().filter(|at| (first..=last).contains(at));
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
        for (_, place) in &mut marks {
            *place = LEFT + (*place - LEFT) * factor;
        }
        Self { marks, cuts }
    }

    fn x(&self, at_ns: u64) -> f64 {
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

/// Draws them. `clash` are the indices of those that cannot be explained together.
pub fn draw(facts: &Facts, judgement: &Judgement, operations: &[u64], clash: &[u64]) -> String {
    let found: Vec<(u64, &Wanted)> =
        operations.iter().filter_map(|index| Some((*index, facts.wanted.get(index)?))).collect();
    if found.is_empty() {
        return String::new();
    }
    let only: Vec<&Wanted> = found.iter().map(|(_, it)| *it).collect();
    let from = only.iter().map(|it| it.invoked_ns).min().unwrap_or(0);
    let to = only.iter().filter_map(|it| it.completed_ns).max().unwrap_or(facts.end_ns);
    let stores = stores_concerned(facts, from, to);
    let changes = facts.processes.iter().filter(|it| stores.contains(&it.store)).map(|it| it.at_ns);
    let scale = Scale::new(&only, &changes.collect(), to);

    let (mut svg, mut y) = (String::new(), 8.0);
    // Writing into a string cannot fail, here and below.
    for client in only.iter().map(|it| it.client).collect::<BTreeSet<_>>() {
        let own: Vec<&(u64, &Wanted)> =
            found.iter().filter(|(_, it)| it.client == client).collect();
        y = lane(&mut svg, &scale, y, client, &own, clash);
    }
    let clients_end = y;
    y += 6.0;
    for store in &stores {
        y = process_lane(&mut svg, &scale, y, facts, *store);
    }
    let height = y + 44.0;
    let mut behind = String::new();
    for fault in
        judgement.faults.iter().filter(|it| it.seen.end_ns >= from && it.seen.begin_ns <= to)
    {
        let (x1, x2) = (
            scale.x(fault.seen.begin_ns).max(LEFT),
            scale.x(fault.seen.end_ns).min(WIDTH - RIGHT + 10.0),
        );
        let _ = write!(
            behind,
            "<rect x='{x1:.1}' y='2' width='{:.1}' height='{:.1}' fill='var(--fault-wash)' stroke='var(--fault)' \
             stroke-dasharray='4 3' stroke-width='.7'><title>{}</title></rect>",
            (x2 - x1).max(1.0),
            clients_end - 2.0,
            escaped(&format!("fault {}: {}", fault.seen.fault, fault.seen.name))
        );
    }
    let axis = axis(&scale, y + 6.0);
    format!(
        "<div class='picture' tabindex='0' role='region' aria-label='Picture of the counterexample'><svg viewBox='0 0 {WIDTH} {height:.0}' role='img' \
         aria-label='Operations of the counterexample over time, a lane for each client' \
         font-family='system-ui, sans-serif' font-size='12'>{behind}{svg}{axis}</svg></div>"
    )
}

/// One client's operations; its words stand in as many rows as they need. Where the next lane begins.
fn lane(
    svg: &mut String,
    scale: &Scale,
    y: f64,
    client: u64,
    own: &[&(u64, &Wanted)],
    clash: &[u64],
) -> f64 {
    let mut rows: Vec<f64> = Vec::new();
    let mut placed = Vec::new();
    for (index, it) in own {
        let (x1, x2) = (
            scale.x(it.invoked_ns),
            it.completed_ns.map_or(WIDTH - RIGHT + 12.0, |at| scale.x(at)),
        );
        let marked = clash.contains(index);
        let words = if marked { format!("✗ {}", it.words) } else { it.words.clone() };
        let wide = words.chars().count() as f64 * LETTER + 8.0;
        let start = x1.min(WIDTH - wide).max(LEFT);
        let row = rows.iter().position(|end| *end <= start).unwrap_or(rows.len());
        if row == rows.len() {
            rows.push(0.0);
        }
        rows[row] = start + wide;
        placed.push((*it, x1, x2.max(x1 + 3.0), words, start, row, marked));
    }
    let bar_y = y + TEXT * rows.len() as f64 + 4.0;
    let _ = write!(
        svg,
        "<text x='8' y='{:.1}' fill='var(--ink)' font-weight='600'>client {client}</text>\
         <line x1='{LEFT}' x2='{WIDTH}' y1='{:.1}' y2='{:.1}' stroke='var(--line)'/>",
        bar_y + 12.0,
        bar_y + BAR / 2.0,
        bar_y + BAR / 2.0
    );
    for (it, x1, x2, words, start, row, marked) in placed {
        let tone = if it.is_read { "var(--c0)" } else { "var(--c1)" };
        let edge = if marked {
            "stroke='var(--bad)' stroke-width='3'"
        } else {
            "stroke='var(--ink)' stroke-width='.6'"
        };
        let dash = if it.completed_ns.is_none() { " stroke-dasharray='5 3'" } else { "" };
        let until = it.completed_ns.map_or_else(
            || "outcome unknown".to_owned(),
            |at| format!("to {:.6} s", at as f64 / 1e9),
        );
        let told =
            format!("client {client}: {}, {:.6} s {until}", it.words, it.invoked_ns as f64 / 1e9);
        let text_y = y + TEXT * (row as f64 + 0.85);
        let (weight, ink) = if marked { ("700", "var(--bad)") } else { ("400", "var(--ink)") };
        let _ = write!(
            svg,
            "<g tabindex='0' role='img' aria-label='{}'><title>{}</title><rect x='{x1:.1}' y='{bar_y:.1}' \
             width='{:.1}' height='{BAR}' rx='3' fill='{tone}' {edge}{dash}/><line x1='{:.1}' x2='{:.1}' y1='{:.1}' \
             y2='{bar_y:.1}' stroke='var(--dim)' stroke-width='.6'/><text x='{start:.1}' y='{text_y:.1}' fill='{ink}' \
             font-weight='{weight}'>{}</text></g>",
            escaped(&told),
            escaped(&told),
            x2 - x1,
            x1 + 1.5,
            x1 + 1.5,
            text_y + 2.0,
            escaped(&words)
        );
    }
    bar_y + BAR + 8.0
}

/// Stores whose process did not just run, shortly before or during the operations.
fn stores_concerned(facts: &Facts, from: u64, to: u64) -> BTreeSet<u64> {
    let known: BTreeSet<u64> = facts.processes.iter().map(|change| change.store).collect();
    let touched = |store: &u64| {
        stretches(facts, *store).iter().any(|(begin, end, state)| {
            *state != ProcessWord::Running && *end >= from && *begin <= to
        })
    };
    known.into_iter().filter(touched).collect()
}

fn process_lane(svg: &mut String, scale: &Scale, y: f64, facts: &Facts, store: u64) -> f64 {
    let _ = write!(svg, "<text x='8' y='{:.1}' fill='var(--ink)'>store {store}</text>", y + 11.0);
    for (begin, end, state) in stretches(facts, store) {
        let (x1, x2) = (scale.x(begin).max(LEFT), scale.x(end).min(WIDTH - RIGHT + 10.0));
        if x2 - x1 < 0.5 {
            continue;
        }
        let (word, fill, ink) = match state {
            ProcessWord::Running => ("running", "var(--good-paper)", "var(--good)"),
            ProcessWord::Stopped => ("stopped", "var(--doubt-paper)", "var(--doubt)"),
            ProcessWord::Gone => ("killed", "var(--bad-paper)", "var(--bad)"),
        };
        let told =
            format!("store {store} {word}, {:.3} to {:.3} s", begin as f64 / 1e9, end as f64 / 1e9);
        let text = if x2 - x1 > 52.0 {
            format!(
                "<text x='{:.1}' y='{:.1}' fill='{ink}' font-size='11'>{word}</text>",
                x1 + 4.0,
                y + 11.0
            )
        } else {
            String::new()
        };
        let _ = write!(
            svg,
            "<g><title>{told}</title><rect x='{x1:.1}' y='{y:.1}' width='{:.1}' height='14' fill='{fill}' \
             stroke='{ink}' stroke-width='.8'/>{text}</g>",
            x2 - x1
        );
    }
    y + 19.0
}

/// Marks with their times, as many as have room, and the cuts.
fn axis(scale: &Scale, y: f64) -> String {
    let mut svg =
        format!("<line x1='{LEFT}' x2='{WIDTH}' y1='{y:.1}' y2='{y:.1}' stroke='var(--dim)'/>");
    let mut free_from = 0.0;
    for (at_ns, x) in &scale.marks {
        let text = format!("{:.3}", *at_ns as f64 / 1e9);
        let wide = text.len() as f64 * LETTER + 6.0;
        let shown = x - wide / 2.0 >= free_from && x + wide / 2.0 <= WIDTH;
        let length = if shown { 7.0 } else { 4.0 };
        let _ = write!(
            svg,
            "<line x1='{x:.1}' x2='{x:.1}' y1='{y:.1}' y2='{:.1}' stroke='var(--dim)'/>",
            y + length
        );
        if shown {
            let _ = write!(
                svg,
                "<text x='{x:.1}' y='{:.1}' text-anchor='middle' fill='var(--dim)' font-size='11'>{text}</text>",
                y + 19.0
            );
            free_from = x + wide / 2.0;
        }
    }
    for x in &scale.cuts {
        let _ = write!(
            svg,
            "<path d='M{:.1} {:.1}l5 -12M{:.1} {:.1}l5 -12' stroke='var(--ink)' stroke-width='1.6'/>",
            x - 5.0,
            y + 6.0,
            x,
            y + 6.0
        );
    }
    let _ = write!(
        svg,
        "<text x='8' y='{:.1}' fill='var(--dim)' font-size='11'>seconds</text>",
        y + 4.0
    );
    svg
}
