//! A report's text and tables, as HTML.
//!
//! In: the judgement, the facts, and the errors by kind. Out: the page's body. It is readable
//! without scripts; the panels need one. All that comes from a run is escaped.

use super::{errors::Kind, facts::Facts, violations};
use crate::{Form, RunContext};
use judge::{FaultJudged, Judgement};
use pages::escaped;
use std::fmt::Write;

/// The ending is as wide as in a terminal.
const ENDING_WIDTH: usize = 100;
/// So many rows of a table are shown.
const ROWS_MAX: usize = 200;

/// Everything that the page tells.
pub struct PageContent<'a> {
    /// The run's name and time.
    pub title: &'a str,
    /// What is judged.
    pub judgement: &'a Judgement,
    /// The history was refused: why.
    pub refused: Option<&'a str>,
    /// What the history says.
    pub facts: &'a Facts,
    /// What went wrong for clients.
    pub errors: &'a [(Kind, u64)],
    /// The command that repeats the run.
    pub repeat: Option<&'a str>,
    /// Files beside the report.
    pub files: &'a [String],
}

/// The body.
pub fn body(told: &PageContent<'_>) -> String {
    let mut html =
        String::from("<a class=\"skip\" href=\"#over-time\">To the charts</a>\n<main>\n");
    // Writing into a string cannot fail, here and below.
    let _ = writeln!(
        html,
        "<header class=\"bar\"><div><h1>{}</h1><div class=\"dim\">jepsen-tikv report</div></div>\
         <button type=\"button\" id=\"theme\">Dark</button></header>",
        escaped(told.title)
    );
    html += &verdict(told);
    html += &violations::html(told);
    html += &tried(told);
    html += "<h2 id=\"over-time\">Over time</h2>\n<div class=\"cursor bar\"><output id=\"cursor\" class=\"dim\">Point at a \
             panel to read its values; drag to zoom, double-click for all.</output><span id=\"zoom\"></span></div>\n\
             <div id=\"panels\"></div>\n<noscript><p>The panels need JavaScript; everything else is here.</p></noscript>\n";
    html += &experiment(told.judgement);
    html += &faults(&told.judgement.faults);
    html += &errors(told.errors);
    html += &files(told);
    html += "</main>\n";
    html
}

fn verdict(told: &PageContent<'_>) -> String {
    let judgement = told.judgement;
    let mut lines = match told.refused {
        Some(why) => vec![format!("REFUSED: this history cannot be judged. {why}")],
        None => crate::verdict(judgement),
    };
    let class = judgement.validity.to_string();
    let mut html = format!("<section class=\"verdict {class}\" aria-label=\"Verdict\">");
    let first = lines.remove(0);
    let (word, rest) = first.split_once(':').unwrap_or(("", &first));
    let _ = write!(html, "<strong>{}:</strong> {}", escaped(word), escaped(rest.trim()));
    // A failing run opens on its picture; the checker's sentences are long.
    let pictured = judgement.checked.keys.iter().any(|key| key.counterexample.is_some());
    if !lines.is_empty() {
        let mut items = String::new();
        for line in &lines {
            let _ = write!(items, "<li>{}</li>", escaped(line.trim_start_matches([' ', '-'])));
        }
        let keys = judgement.keys_judged();
        let _ = if pictured {
            write!(
                html,
                " {} of {} keys cannot be explained.<details><summary>The checker's reasons</summary><ul>{items}</ul></details>",
                keys.invalid, keys.total
            )
        } else {
            write!(html, "<ul>{items}</ul>")
        };
    }
    if told.refused.is_none() {
        let around = RunContext { repeat: told.repeat.map(str::to_owned), ..RunContext::default() };
        let form = Form { width: ENDING_WIDTH, colour: false };
        let ending = crate::ending(judgement, &around, form).join("\n");
        let _ = write!(html, "<pre tabindex=\"0\">{}</pre>", escaped(&ending));
    }
    for note in crate::notes(judgement) {
        let _ = write!(html, "<p>{}</p>", escaped(&note));
    }
    if let Some(torn) = &told.facts.torn {
        let _ = write!(
            html,
            "<p>The file ends early: {}. What stands before is drawn.</p>",
            escaped(torn)
        );
    }
    html + "</section>\n"
}

fn tried(told: &PageContent<'_>) -> String {
    let header = &told.facts.header.fields;
    let text = |name: &str| match header.get(name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Array(several)) => {
            several.iter().filter_map(|it| it.as_str()).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let counts = told.judgement.operations.values();
    let sum =
        counts.fold([0; 3], |[ok, fail, info], it| [ok + it.ok, fail + it.fail, info + it.info]);
    let keys = &told.judgement.key_counts;
    let keys = match (keys.before, keys.after) {
        (Some(before), Some(after)) => format!("{before}, after one more put {after}"),
        _ => "not counted to the end".to_owned(),
    };
    let confirmed = told.judgement.faults.iter().filter(|fault| fault.seen.confirmed).count();
    let kinds = told.judgement.operations.iter();
    let kinds: Vec<String> =
        kinds.map(|(kind, n)| format!("{kind} {}", n.ok + n.fail + n.info)).collect();
    let mut html = String::from("<h2>What was tried</h2>\n<dl class=\"facts\">");
    for (name, value) in [
        ("Target", told.judgement.target.clone()),
        ("Workload", text("workload")),
        ("Client library", text("client")),
        ("Clients at once", text("concurrency")),
        ("Faults asked for", text("nemesis")),
        ("Faults seen in force", format!("{confirmed} of {}", told.judgement.faults.len())),
        ("Never led when a fault began", told.judgement.leaders.in_words().unwrap_or_default()),
        ("Seed", text("seed")),
        ("Length", format!("{:.1} s", told.facts.end_s())),
        ("Operations", format!("{} ok, {} failed, {} unknown", sum[0], sum[1], sum[2])),
        ("By kind", kinds.join(", ")),
        ("Keys counted", keys),
        ("Version", text("tool-version")),
    ] {
        if !value.is_empty() {
            let _ = write!(html, "<div><dt>{name}</dt><dd>{}</dd></div>", escaped(&value));
        }
    }
    html += "</dl>\n";
    if let Some(repeat) = told.repeat {
        let _ = writeln!(html, "<p>Run it again: <code>{}</code></p>", escaped(repeat));
    }
    html
}

fn experiment(judgement: &Judgement) -> String {
    if judgement.experiment.is_empty() {
        return String::new();
    }
    let mut html = String::from("<h2>What the experiment showed</h2>\n<ul>");
    for finding in &judgement.experiment {
        let _ = write!(html, "<li>{}</li>", escaped(&crate::experiment(finding)));
    }
    html + "</ul>\n"
}

fn faults(faults: &[FaultJudged]) -> String {
    if faults.is_empty() {
        return "<h2>Faults</h2><p>None.</p>\n".to_owned();
    }
    let mut html = String::from(
        "<h2>Faults</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Faults\"><table><thead><tr>\
         <th scope=\"col\" class=\"n\">#</th><th scope=\"col\">Fault</th><th scope=\"col\">Stores</th>\
         <th scope=\"col\" class=\"n\">From s</th><th scope=\"col\" class=\"n\">For s</th><th scope=\"col\">Effect</th>\
         <th scope=\"col\" class=\"n\">First success after ms</th><th scope=\"col\" class=\"n\">Longest gap ms</th>\
         <th scope=\"col\" class=\"n\">Successes during</th></tr></thead><tbody>",
    );
    for fault in faults.iter().take(ROWS_MAX) {
        let seen = &fault.seen;
        let stores = seen.store_names().join(", ");
        let mut effects = seen.effects_shown();
        if !seen.confirmed {
            effects.insert(0, "not confirmed".to_owned());
        } else if effects.is_empty() {
            effects.push(
                if fault.unavailable() {
                    "nothing succeeded for most of it"
                } else {
                    "no effect seen"
                }
                .to_owned(),
            );
        }
        effects.extend(seen.errors_shown());
        if fault.ok_during == 0 {
            effects.push("no operation succeeded during it".to_owned());
        }
        let first = fault
            .first_success_after_ns
            .map_or_else(|| "–".to_owned(), |ns| format!("{:.0}", ns as f64 / 1e6));
        let _ = write!(
            html,
            "<tr><td class=\"n\">{}</td><td>{}</td><td>{stores}</td><td class=\"n\">{:.2}</td><td class=\"n\">{:.2}</td>\
             <td>{}</td><td class=\"n\">{first}</td><td class=\"n\">{:.0}</td><td class=\"n\">{}</td></tr>",
            seen.fault,
            escaped(&seen.name),
            seen.begin_ns as f64 / 1e9,
            seen.end_ns.saturating_sub(seen.begin_ns) as f64 / 1e9,
            escaped(&effects.join("; ")),
            fault.longest_gap_ns as f64 / 1e6,
            fault.ok_during
        );
    }
    html += "</tbody></table></div>\n";
    if faults.len() > ROWS_MAX {
        let _ = writeln!(html, "<p>{} more are in verdict.json.</p>", faults.len() - ROWS_MAX);
    }
    html
}

fn errors(errors: &[(Kind, u64)]) -> String {
    if errors.is_empty() {
        return "<h2>Errors</h2><p>None.</p>\n".to_owned();
    }
    let mut html = String::from(
        "<h2>Errors by kind, and what we made of them</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Errors\"><table><thead><tr><th scope=\"col\" class=\"n\">Times</th><th scope=\"col\">Operation</th>\
         <th scope=\"col\">Fate</th><th scope=\"col\">Error (numbers as #)</th></tr></thead><tbody>",
    );
    for (kind, times) in errors.iter().take(40) {
        let fate = match kind.fate.as_str() {
            "fail" => "fail: certainly not applied",
            _ => "info: unknown whether it was applied",
        };
        let _ = write!(
            html,
            "<tr><td class=\"n\">{times}</td><td>{}</td><td>{fate}</td><td>{}</td></tr>",
            escaped(&kind.operation),
            escaped(if kind.text.is_empty() { "no text" } else { &kind.text })
        );
    }
    html + "</tbody></table></div>\n"
}

fn files(told: &PageContent<'_>) -> String {
    let mut html = String::from("<h2>Files beside this page</h2>\n<ul>");
    for file in told.files {
        let _ = write!(html, "<li><a href=\"{0}\">{0}</a></li>", escaped(file));
    }
    html + "</ul>\n<p class=\"dim\">Judge the same history again: <code>jepsen-tikv check</code> with this directory.</p>\n"
}
