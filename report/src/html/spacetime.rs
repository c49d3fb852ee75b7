//! A counterexample as a picture over time: a lane for each client, operations as bars with their
//! values, faults behind, and what the processes of the stores concerned did beneath.
//!
//! In: operations, which of them clash, how far they can be explained, faults and process states.
//! Out: SVG that needs no script. Time runs from left to right, to scale between two marks; long
//! stretches in which nothing was open are cut, and the cut is shown.

use super::{
    explanation::Step,
    facts::{Facts, Wanted},
    process_lanes::{axis, process_lane, stores_concerned},
    scale::{LEFT, LETTER, RIGHT, Scale, WIDTH},
};
use judge::Judgement;
use pages::escaped;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

const BAR: f64 = 18.0;
const TEXT: f64 = 14.0;
/// The radius of a number on a bar.
const NUMBER: f64 = 7.5;

/// So many faults are drawn behind the lanes.
const FAULTS_MAX: usize = 200;

/// What is drawn.
pub struct Picture<'a> {
    /// What the history says.
    pub facts: &'a Facts,
    /// The faults.
    pub judgement: &'a Judgement,
    /// The operations, by the event that invoked them.
    pub operations: &'a [u64],
    /// Those of them that cannot be explained together.
    pub clash: &'a [u64],
    /// The longest order that can be explained.
    pub steps: &'a [Step],
}

/// Where an operation's bar lies: from, to, its upper edge.
type Bars = BTreeMap<u64, (f64, f64, f64)>;

/// Draws it.
pub fn draw(picture: &Picture<'_>) -> String {
    let Picture { facts, judgement, operations, .. } = *picture;
    let found: Vec<(u64, &Wanted)> =
        operations.iter().filter_map(|index| Some((*index, facts.wanted.get(index)?))).collect();
    if found.is_empty() {
        return String::new();
    }
    let only: Vec<&Wanted> = found.iter().map(|(_, it)| *it).collect();
    let from = only.iter().map(|it| it.invoked_ns).min().unwrap_or(0);
    let to = only.iter().filter_map(|it| it.completed_ns).max().unwrap_or(facts.end_ns);
    let stores = stores_concerned(facts, from, to);
    let changes =
        facts.processes.iter().filter(|it| stores.contains_key(&it.store)).map(|it| it.at_ns);
    let scale = Scale::new(&only, &changes.collect(), to);

    let (mut svg, mut y, mut bars) = (String::new(), 8.0, Bars::new());
    for client in only.iter().map(|it| it.client).collect::<BTreeSet<_>>() {
        let own: Vec<&(u64, &Wanted)> =
            found.iter().filter(|(_, it)| it.client == client).collect();
        y = lane(&mut svg, &scale, y, picture, &own, &mut bars);
    }
    numbers(&mut svg, &scale, picture.steps, &bars);
    let clients_end = y;
    y += 6.0;
    for (store, stretches) in &stores {
        y = process_lane(&mut svg, &scale, y, (*store, stretches));
    }
    let height = y + 44.0;
    let behind = faults(judgement, &scale, (from, to), clients_end - 2.0);
    let axis = axis(&scale, y + 6.0);
    format!(
        "<div class='picture' tabindex='0' role='region' aria-label='Picture of the counterexample'><svg viewBox='0 0 {WIDTH} {height:.0}' role='group' \
         aria-label='Operations of the counterexample over time, a lane for each client' \
         font-family='system-ui, sans-serif' font-size='12'>{behind}{svg}{axis}</svg></div>"
    )
}

/// The faults in force, behind the lanes.
fn faults(judgement: &Judgement, scale: &Scale, (from, to): (u64, u64), height: f64) -> String {
    let mut svg = String::new();
    let touching =
        judgement.faults.iter().filter(|it| it.seen.end_ns >= from && it.seen.begin_ns <= to);
    for fault in touching.take(FAULTS_MAX) {
        let x1 = scale.x(fault.seen.begin_ns).max(LEFT);
        let x2 = scale.x(fault.seen.end_ns).min(WIDTH - RIGHT + 10.0);
        // Writing into a string cannot fail, here and below.
        let _ = write!(
            svg,
            "<rect x='{x1:.1}' y='2' width='{:.1}' height='{height:.1}' fill='var(--fault-wash)' stroke='var(--fault)' \
             stroke-dasharray='4 3' stroke-width='.7'><title>{}</title></rect>",
            (x2 - x1).max(1.0),
            escaped(&format!("fault {}: {}", fault.seen.fault, fault.seen.name))
        );
    }
    svg
}

/// One client's operations; its words stand in as many rows as they need. Where the next lane
/// begins.
fn lane(
    svg: &mut String,
    scale: &Scale,
    y: f64,
    picture: &Picture<'_>,
    own: &[&(u64, &Wanted)],
    bars: &mut Bars,
) -> f64 {
    let mut rows: Vec<f64> = Vec::new();
    let mut placed = Vec::new();
    for (index, it) in own {
        let (x1, x2) = (
            scale.x(it.invoked_ns),
            it.completed_ns.map_or(WIDTH - RIGHT + 12.0, |at| scale.x(at)),
        );
        let marked = picture.clash.contains(index);
        let words = if marked { format!("✗ {}", it.words) } else { it.words.clone() };
        // What is marked is bold.
        let letter = if marked { LETTER * 1.15 } else { LETTER };
        let wide = words.chars().count() as f64 * letter + 8.0;
        let start = x1.min(WIDTH - wide).max(LEFT);
        let row = rows.iter().position(|end| *end <= start).unwrap_or(rows.len());
        if row == rows.len() {
            rows.push(0.0);
        }
        rows[row] = start + wide;
        placed.push((*index, *it, x1, x2.max(x1 + 3.0), words, start, row));
    }
    let bar_y = y + TEXT * rows.len() as f64 + 4.0;
    let client = own.first().map_or(0, |(_, it)| it.client);
    let middle = bar_y + BAR / 2.0;
    let _ = write!(
        svg,
        "<text x='8' y='{:.1}' fill='var(--ink)' font-weight='600'>client {client}</text>\
         <line x1='{LEFT}' x2='{WIDTH}' y1='{middle:.1}' y2='{middle:.1}' stroke='var(--line)'/>",
        bar_y + 12.0,
    );
    for (index, it, x1, x2, words, start, row) in placed {
        let text_y = y + TEXT * (row as f64 + 0.85);
        bars.insert(index, (x1, x2, bar_y));
        let bar = Bar { x1, x2, y: bar_y, text_x: start, text_y, words: &words };
        draw_bar(svg, &bar, it, picture.clash.contains(&index), &hover(it, index, picture.steps));
    }
    bar_y + BAR + 8.0
}

/// Where an operation is drawn.
struct Bar<'a> {
    x1: f64,
    x2: f64,
    y: f64,
    text_x: f64,
    text_y: f64,
    words: &'a str,
}

fn draw_bar(svg: &mut String, bar: &Bar<'_>, it: &Wanted, marked: bool, hover: &str) {
    let tone = if it.is_read { "var(--c0)" } else { "var(--c1)" };
    let edge = if marked {
        "stroke='var(--bad)' stroke-width='3'"
    } else {
        "stroke='var(--ink)' stroke-width='.6'"
    };
    let dash = if it.completed_ns.is_none() { " stroke-dasharray='5 3'" } else { "" };
    let (weight, ink) = if marked { ("700", "var(--bad)") } else { ("400", "var(--ink)") };
    let hover = escaped(hover);
    let _ = write!(
        svg,
        "<g tabindex='0' role='img' aria-label='{hover}'><title>{hover}</title><rect x='{:.1}' y='{:.1}' \
         width='{:.1}' height='{BAR}' rx='3' fill='{tone}' {edge}{dash}/><line x1='{:.1}' x2='{:.1}' y1='{:.1}' \
         y2='{:.1}' stroke='var(--dim)' stroke-width='.6'/><text x='{:.1}' y='{:.1}' fill='{ink}' \
         font-weight='{weight}'>{}</text></g>",
        bar.x1,
        bar.y,
        bar.x2 - bar.x1,
        bar.x1 + 1.5,
        bar.x1 + 1.5,
        bar.text_y + 2.0,
        bar.y,
        bar.text_x,
        bar.text_y,
        escaped(bar.words)
    );
}

/// An operation in full, and what the key is after it, if it has a place.
fn hover(it: &Wanted, index: u64, steps: &[Step]) -> String {
    let until = it
        .completed_ns
        .map_or_else(|| "outcome unknown".to_owned(), |at| format!("to {:.6} s", at as f64 / 1e9));
    let place = steps.iter().position(|step| step.operation == index);
    let order = match (place, steps.last()) {
        (Some(place), _) => format!(
            ". Number {} of the order that can be explained; the key is {} after it",
            place + 1,
            steps[place].state
        ),
        (None, Some(last)) => format!(
            ". It has no place after the order that can be explained: the key is {} then",
            last.state
        ),
        (None, None) => String::new(),
    };
    format!(
        "client {}: {}, {:.6} s {until}{order}",
        it.client,
        it.words,
        it.invoked_ns as f64 / 1e9
    )
}

/// The order that can be explained, as numbers on the bars, each at the earliest moment that it can
/// have had.
fn numbers(svg: &mut String, scale: &Scale, steps: &[Step], bars: &Bars) {
    let places: Vec<(usize, f64, f64)> = steps
        .iter()
        .enumerate()
        .filter_map(|(place, step)| {
            let (x1, x2, y) = *bars.get(&step.operation)?;
            let x = scale.x(step.at_ns).clamp(x1, x2).max(x1 + NUMBER);
            Some((place + 1, x, y + BAR / 2.0))
        })
        .collect();
    let line: Vec<String> = places.iter().map(|(_, x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = write!(
        svg,
        "<polyline points='{}' fill='none' stroke='var(--ink)' stroke-width='1' stroke-dasharray='2 3' opacity='.7' \
         pointer-events='none'/>",
        line.join(" ")
    );
    for (number, x, y) in places {
        let _ = write!(
            svg,
            "<g pointer-events='none' aria-hidden='true'><circle cx='{x:.1}' cy='{y:.1}' r='{NUMBER}' fill='var(--paper)' \
             stroke='var(--ink)'/><text x='{x:.1}' y='{:.1}' text-anchor='middle' font-size='10' fill='var(--ink)'>{number}</text></g>",
            y + 3.5
        );
    }
}
