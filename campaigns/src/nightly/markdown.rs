//! Writes `summary.md`: a night for a person, short enough for the summary of a CI job.
//!
//! In: a [`Summary`]. Out: Markdown. Decides nothing.

use super::{
    outcome::{Kind, Outcome, Row},
    summary::{Summary, Trend},
};
use std::fmt::Write as _;
use terminal::escaped;

/// The length of the longest list that is not folded.
const LISTED_MAX: usize = 20;

/// Returns the file's contents.
pub fn text(summary: &Summary) -> String {
    let mut text = format!("# Night of {}: {}\n\n", inline(&summary.began), headline(summary));
    let _ = writeln!(text, "Seed {}. {}\n", summary.seed, tally(summary));
    if !summary.trusted {
        text.push_str("**The self-test did not pass tonight, so nothing is called valid.**\n\n");
    }
    failures(summary, &mut text);
    runs(summary, &mut text);
    gaps(summary, &mut text);
    trend(&summary.trend, &mut text);
    text
}

/// Returns the night's outcome, how much of the matrix was run, and a note if it is not over.
fn headline(summary: &Summary) -> String {
    match summary.over {
        Some(_) => {
            let ran = summary.cells_ran().map_or_else(String::new, |ran| format!(": {ran}"));
            format!("{}{ran}", summary.outcome)
        }
        None => {
            format!("{} so far (interrupted; the same command goes on with it)", summary.outcome)
        }
    }
}

/// Returns the number of runs for each outcome.
pub fn tally(summary: &Summary) -> String {
    let outcomes = [Outcome::Valid, Outcome::Unknown, Outcome::Invalid, Outcome::Crash];
    let parts = outcomes.map(|outcome| format!("{} {outcome}", summary.count(outcome)));
    let left = match summary.not_run.len() {
        0 => String::new(),
        n => format!("; {n} had no room in the budget"),
    };
    format!("{} runs: {}{left}.", summary.rows.len(), parts.join(", "))
}

fn failures(summary: &Summary, text: &mut String) {
    let failed: Vec<&Row> =
        summary.rows.iter().filter(|row| row.outcome >= Outcome::Invalid).collect();
    if failed.is_empty() {
        return;
    }
    text.push_str("## What failed\n\n");
    for row in failed {
        let _ = writeln!(text, "### {}: {}\n", inline(&row.label), row.outcome);
        for reason in row.reasons.iter().take(3) {
            let _ = writeln!(text, "- {}", inline(reason));
        }
        let _ = writeln!(text, "\nIt is repeated by\n\n    {}\n", escaped(&row.command));
        if let Some(archive) = &row.archive {
            let _ = writeln!(
                text,
                "and looked into with {}: unpacked, `jepsen-tikv check`, `report` and `replay` take its folder.\n",
                code(archive)
            );
        }
    }
}

fn runs(summary: &Summary, text: &mut String) {
    text.push_str(
        "## Runs\n\n| verdict | run | kind | s | ok/s | longest gap, ms | check, ms | seed | |\n",
    );
    text.push_str("|---|---|---|---:|---:|---:|---:|---:|---|\n");
    for row in &summary.rows {
        let measured = |part: fn(&super::outcome::Measured) -> f64| {
            row.measured.as_ref().map_or_else(String::new, |it| format!("{:.0}", part(it)))
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.0} | {} | {} | {} | {} | {} |",
            row.outcome,
            inline(&row.label),
            row.kind,
            row.seconds,
            measured(|it| it.ok_per_second),
            measured(|it| it.longest_gap_ms),
            measured(|it| it.check_ms),
            row.seed.map_or_else(String::new, |seed| seed.to_string()),
            inline(row.reason()),
        );
    }
    text.push('\n');
}

fn gaps(summary: &Summary, text: &mut String) {
    let mut gaps = Vec::new();
    if !summary.not_run.is_empty() {
        let title = format!("The budget had no room for {} runs", summary.not_run.len());
        let labels = summary.not_run.iter().map(|it| inline(it));
        gaps.push(listed(&title, &labels.collect::<Vec<_>>(), ", "));
    }
    if !summary.impossible.is_empty() {
        let title = format!("{} combinations cannot be run", summary.impossible.len());
        let reasons = summary.impossible.iter();
        let reasons = reasons.map(|it| format!("{}: {}", inline(&it.label), inline(&it.reason)));
        gaps.push(listed(&title, &reasons.collect::<Vec<_>>(), "; "));
    }
    if !summary.interrupted.is_empty() {
        let labels = summary.interrupted.iter().map(|it| inline(it));
        gaps.push(listed("Cut short by an interruption", &labels.collect::<Vec<_>>(), ", "));
    }
    let tries = summary.rows.iter().filter(|row| row.kind == Kind::SelfTest).count();
    if tries > 1 {
        gaps.push(format!("The self-test was run {tries} times; the last one counts."));
    }
    if gaps.is_empty() {
        return;
    }
    text.push_str("## What this night does not say\n\n");
    for gap in gaps {
        let _ = writeln!(text, "- {gap}");
    }
    text.push('\n');
}

/// Returns a title and its entries; a long list is folded behind the title.
fn listed(title: &str, entries: &[String], between: &str) -> String {
    let all = entries.join(between);
    if entries.len() <= LISTED_MAX {
        return format!("{title}: {all}");
    }
    // Markdown is read inside HTML only after an empty line.
    format!("<details><summary>{title}</summary>\n\n  {all}\n\n  </details>")
}

fn trend(nights: &[Trend], text: &mut String) {
    if nights.len() < 2 {
        return;
    }
    text.push_str("## The last nights\n\n| night | verdict | runs | ok/s (median) | longest gap, ms | check, ms (median) |\n");
    text.push_str("|---|---|---:|---:|---:|---:|\n");
    for night in nights {
        let number = |value: Option<f64>| value.map_or_else(String::new, |it| format!("{it:.0}"));
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            inline(&night.began),
            night.outcome,
            night.runs,
            number(night.ok_per_second),
            number(night.longest_gap_ms),
            number(night.check_ms)
        );
    }
    text.push_str("\nMedians, and of the gaps the longest, over other runs each night: a trend, not a benchmark.\n");
}

/// Formats a path as code, without characters that would end the code.
fn code(path: &str) -> String {
    format!("`{}`", escaped(path).replace('`', ""))
}

/// Escapes a sentence so that it breaks neither a table nor the page.
fn inline(sentence: &str) -> String {
    let mut shown = String::new();
    for character in escaped(sentence.replace(['\n', '\r'], " ")).chars() {
        match character {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '|' | '`' | '[' | ']' | '*' | '_' | '!' => shown.extend(['\\', character]),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{
        super::summary::tests::{assert_shows_everything, hostile, row, summary},
        *,
    };

    #[test]
    fn texts_that_a_terminal_would_obey_are_shown_and_make_no_markdown() {
        let text = text(&hostile());
        assert_shows_everything(&text);
        // Code is shown literally, and nothing in it ends the code.
        let prose: Vec<&str> = text.lines().filter(|line| !line.starts_with("    ")).collect();
        let prose: String = prose.join("\n").replace("\\`", "").split('`').step_by(2).collect();
        assert!(!prose.contains("**VALID**") && !prose.contains("</pre>"), "{text}");
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        assert!(headings.iter().all(|line| !line.starts_with("# VALID")), "{headings:?}");
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        for table in rows.chunk_by(|a, b| cells(a) == cells(b)) {
            assert!([10, 7].contains(&cells(table[0])), "{table:?}");
        }
    }

    #[test]
    fn what_failed_comes_first_with_its_command_and_tables_stay_whole() {
        let text = text(&summary(vec![
            row("self-test-1", Kind::SelfTest, Outcome::Valid, Some(0)),
            row("good", Kind::Matrix, Outcome::Valid, Some(0)),
            row("bad", Kind::Matrix, Outcome::Invalid, Some(1)),
        ]));
        assert!(text.contains(": invalid: 2 of 3 cells ran\n"), "{text}");
        assert!(text.contains("3 runs: 2 valid, 0 unknown, 1 invalid, 0 crash; 1 had no room"));
        assert!(text.contains("\n    jepsen-tikv test --name bad\n"), "{text}");
        assert!(text.contains("`failing/bad.zip`") && text.contains("later"), "{text}");
        assert!(!text.contains("nothing is called valid") && !text.contains("The last nights"));
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.iter().all(|line| cells(line) == cells(rows[0])), "{text}");
    }

    #[test]
    fn a_long_list_is_folded_and_whole() {
        let mut night = summary(vec![row("a", Kind::Matrix, Outcome::Valid, Some(0))]);
        night.not_run = (0..LISTED_MAX).map(|at| format!("cell-{at}.")).collect();
        assert!(!text(&night).contains("<details>"));
        night.not_run.push("the-last".into());
        let text = text(&night);
        let folded =
            "- <details><summary>The budget had no room for 21 runs</summary>\n\n  cell-0., ";
        assert!(text.contains(folded), "{text}");
        assert!(text.contains(", the-last\n\n  </details>\n"), "{text}");
    }
}
