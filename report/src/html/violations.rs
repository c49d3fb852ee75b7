//! What went wrong: the counterexamples, and the keys that are missing or too many. A failing
//! report opens on it.
//!
//! In: the judgement and the facts. Out: HTML that is readable without scripts; nothing for a run
//! in which nothing went wrong. All that comes from a run is escaped.

use super::{
    body::PageContent,
    explanation,
    facts::KeyLast,
    sentences,
    spacetime::{self, Picture},
};
use checker::{Counterexample, Finding, KeyCount, KeyVerdict, Validity};
use pages::escaped;
use std::fmt::Write;

/// So many invalid keys are drawn, and so many wrong scans are told.
const SHOWN_MAX: usize = 5;
/// How the pictures are read; said once.
const HOW_TO_READ: &str = "<p class=\"dim\">A lane for each client; blue bars read, orange bars write; ✗ marks the operations that clash. \
     Pink behind: faults in force. Beneath: what the processes of the stores concerned did. Time is to scale \
     between two marks, and cut at the double strokes. The numbers are the longest order that can be explained. \
     Point at a bar for its exact times, and for what the key is after it.</p>\n";
/// So many keys of a wrong scan are named.
const NAMED_MAX: usize = 20;

/// All of it.
pub fn html(told: &PageContent<'_>) -> String {
    counterexamples(told) + &key_counts(told)
}

fn counterexamples(told: &PageContent<'_>) -> String {
    let keys = told.judgement.checked.keys.iter();
    let invalid = keys.clone().filter(|key| key.validity == Validity::Invalid).count();
    let mut keys: Vec<&KeyVerdict> = keys.filter(|key| key.counterexample.is_some()).collect();
    // First what needs no second look: the newer value was seen before and after.
    keys.sort_by_cached_key(|key| {
        let older = finding(told, key).and_then(|it| it.older_state).unwrap_or_default();
        !(older.newer_seen_before && older.newer_seen_afterwards)
    });
    let mut html = String::new();
    for key in keys.iter().take(SHOWN_MAX) {
        if let Some(found) = &key.counterexample {
            html += &counterexample(told, key, found, html.is_empty());
        }
    }
    let shown = keys.len().min(SHOWN_MAX);
    if invalid > shown {
        let more = invalid - shown;
        // Writing into a string cannot fail, here and below.
        let _ = writeln!(html, "<p>{more} more keys are invalid; they are in verdict.json.</p>");
    }
    html
}

fn finding<'a>(told: &PageContent<'a>, key: &KeyVerdict) -> Option<&'a Finding> {
    told.judgement.checked.findings.iter().find(|finding| finding.key == key.key)
}

fn counterexample(
    told: &PageContent<'_>,
    key: &KeyVerdict,
    found: &Counterexample,
    is_first: bool,
) -> String {
    let steps = explanation::steps(told.facts, found);
    let clash = sentences::clash(told.facts, finding(told, key), found, &steps);
    let mut html = format!(
        "<section><h2>What went wrong: {} of key <code>{}</code></h2>\n<p class=\"paragraph\">{}</p>",
        escaped(&clash.kind),
        escaped(&key.key.to_string()),
        escaped(&sentences::paragraph(told.facts, told.judgement, found, &clash))
    );
    let (facts, judgement) = (told.facts, told.judgement);
    html += &spacetime::draw(&Picture {
        facts,
        judgement,
        operations: &found.operations,
        clash: &clash.operations,
        steps: &steps,
    });
    if is_first {
        html += HOW_TO_READ;
    }
    html += &explanation::html(told.facts, found, &steps);
    let _ = writeln!(
        html,
        "<details><summary>The checker's own words, and the drawing as text</summary><p>{}</p><pre tabindex=\"0\">{}</pre></details></section>",
        escaped(&found.sentence),
        escaped(&found.drawing.join("\n"))
    );
    html
}

/// Scans that missed a key or returned one too many: which, who wrote it, who saw it last.
fn key_counts(told: &PageContent<'_>) -> String {
    let wrong = told.judgement.checked.key_counts.iter();
    let wrong: Vec<&KeyCount> =
        wrong.filter(|count| !count.missing.is_empty() || !count.unexpected.is_empty()).collect();
    if wrong.is_empty() {
        return String::new();
    }
    let mut html = String::from("<section><h2>What went wrong: keys missing or too many</h2>\n");
    for count in wrong.iter().take(SHOWN_MAX) {
        let _ = write!(
            html,
            "<h3>The scan from {:.3} to {:.3} s returned {} keys; {} to {} had to be there</h3>",
            count.invoke_ns as f64 / 1e9,
            count.finish_ns as f64 / 1e9,
            count.count,
            count.certainly_present,
            count.possibly_present
        );
        html += &table(told, count);
    }
    if wrong.len() > SHOWN_MAX {
        let more = wrong.len() - SHOWN_MAX;
        let _ = writeln!(html, "<p>{more} more scans are wrong; they are in verdict.json.</p>");
    }
    html + "</section>\n"
}

fn table(told: &PageContent<'_>, count: &KeyCount) -> String {
    let mut html = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Keys missing or too many\"><table><thead><tr>\
         <th scope=\"col\">Key</th><th scope=\"col\">Is</th><th scope=\"col\">Last acknowledged write</th>\
         <th scope=\"col\">Last read</th></tr></thead><tbody>",
    );
    let missing = count.missing.iter().map(|key| ("missing", key));
    let all = missing.chain(count.unexpected.iter().map(|key| ("too many", key)));
    for (word, key) in all.take(NAMED_MAX) {
        let nothing = KeyLast::default();
        let last = told.facts.keys.get(&key.0).unwrap_or(&nothing);
        let written = last.written.as_ref().map_or_else(
            || "none".to_owned(),
            |(client, sentences, at)| {
                format!("client {client}: {sentences}, at {:.3} s", *at as f64 / 1e9)
            },
        );
        let seen = last.seen.map_or_else(
            || "never".to_owned(),
            |(client, at)| format!("client {client}, at {:.3} s", at as f64 / 1e9),
        );
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td>{word}</td><td>{}</td><td>{}</td></tr>",
            escaped(&key.to_string()),
            escaped(&written),
            escaped(&seen)
        );
    }
    html += "</tbody></table></div>\n";
    let total = count.missing.len() + count.unexpected.len();
    if total > NAMED_MAX {
        let _ = writeln!(html, "<p>{} more are in verdict.json.</p>", total - NAMED_MAX);
    }
    html
}
