//! What stands beneath the clients in a counterexample's picture: store processes, and the axis.
//!
//! In: the facts and the picture's scale. Out: SVG.

use super::{
    facts::Facts,
    panels::{Stretch, all_stretches},
    scale::{LEFT, LETTER, RIGHT, Scale, WIDTH},
};
use histories::cluster_sample::ProcessWord;
use std::{collections::BTreeMap, fmt::Write};

/// A picture of less time than this has microseconds on its axis.
const SHORT_NS: u64 = 50_000_000;
/// So many stores have a lane.
const STORES_MAX: usize = 50;

/// Stores whose process did not just run, shortly before or during the operations, and what their
/// processes did.
pub fn stores_concerned(facts: &Facts, from: u64, to: u64) -> BTreeMap<u64, Vec<Stretch>> {
    let touched = |stretches: &[Stretch]| {
        stretches.iter().any(|it| {
            let runs = it.state == ProcessWord::Running && it.is_confirmed;
            !runs && it.to >= from && it.from <= to
        })
    };
    let mut concerned = all_stretches(facts);
    concerned.retain(|_, stretches| touched(stretches));
    concerned.into_iter().take(STORES_MAX).collect()
}

/// What a store's process did. Where the next lane begins.
pub fn process_lane(
    svg: &mut String,
    scale: &Scale,
    y: f64,
    (store, stretches): (u64, &[Stretch]),
) -> f64 {
    let _ = write!(svg, "<text x='8' y='{:.1}' fill='var(--ink)'>store-{store}</text>", y + 11.0);
    for stretch in stretches {
        let (begin, end, word) = (stretch.from, stretch.to, stretch.in_words());
        let (x1, x2) = (scale.x(begin).max(LEFT), scale.x(end).min(WIDTH - RIGHT + 10.0));
        if x2 - x1 < 0.5 {
            continue;
        }
        let (fill, ink) = match stretch.state {
            ProcessWord::Running => ("var(--good-paper)", "var(--good)"),
            ProcessWord::Stopped => ("var(--doubt-paper)", "var(--doubt)"),
            ProcessWord::Gone => ("var(--bad-paper)", "var(--bad)"),
        };
        // Between a signal and its confirmation the process may do the one or the other.
        let (fill, dash) =
            if stretch.is_confirmed { (fill, "") } else { ("none", " stroke-dasharray='3 2'") };
        let told =
            format!("store-{store} {word}, {:.3} to {:.3} s", begin as f64 / 1e9, end as f64 / 1e9);
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
             stroke='{ink}' stroke-width='.8'{dash}/>{text}</g>",
            x2 - x1
        );
    }
    y + 19.0
}

/// Marks with their times, as many as have room, and the cuts.
pub fn axis(scale: &Scale, y: f64) -> String {
    let mut svg =
        format!("<line x1='{LEFT}' x2='{WIDTH}' y1='{y:.1}' y2='{y:.1}' stroke='var(--dim)'/>");
    let mut free_from = 0.0;
    // Milliseconds say nothing where all of it takes a few.
    let first_and_last = scale.marks.first().zip(scale.marks.last());
    let span_ns = first_and_last.map_or(0, |((first, _), (last, _))| last - first);
    let digits = if span_ns < SHORT_NS { 6 } else { 3 };
    for (at_ns, x) in &scale.marks {
        let text = format!("{:.digits$}", *at_ns as f64 / 1e9);
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
