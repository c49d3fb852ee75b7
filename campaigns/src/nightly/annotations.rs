//! Annotations for GitHub's workflows: one line on stdout for each run that was not valid.
//!
//! In: a [`Summary`]. Out: lines `::error title=…::…`. GitHub shows ten of each kind for a step, so
//! the worst come first.

use super::{
    outcome::{Outcome, Row},
    summary::Summary,
};
use terminal::escaped;

/// Returns the lines.
pub fn lines(summary: &Summary) -> Vec<String> {
    let mut rows: Vec<&Row> =
        summary.rows.iter().filter(|row| row.outcome != Outcome::Valid).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.outcome));
    rows.into_iter().map(line).collect()
}

fn line(row: &Row) -> String {
    let level = if row.outcome == Outcome::Unknown { "warning" } else { "error" };
    let title = property(&format!("jepsen-tikv: {} is {}", row.label, row.outcome));
    let message = message(&format!("{}\n{}", row.reasons.join("\n"), row.command));
    format!("::{level} title={title}::{message}")
}

/// Escapes the characters that would end a message or that the log would not show.
fn message(text: &str) -> String {
    escaped(text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A"))
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            outcome::Kind,
            summary::tests::{HOSTILE, assert_shows_everything, hostile, row, summary},
        },
        *,
    };

    #[test]
    fn a_reason_that_a_terminal_would_obey_stays_in_its_annotation() {
        let lines = lines(&hostile());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("::error title=jepsen-tikv%3A k"), "{lines:?}");
        assert_eq!(lines[0].matches("::").count(), 2 + HOSTILE.matches("::").count() * 2);
        assert_shows_everything(&lines[0]);
        assert!(!lines[0].contains('\n'));
    }

    #[test]
    fn the_worst_come_first_and_each_is_one_line() {
        let lines = lines(&summary(vec![
            row("odd", Kind::Matrix, Outcome::Unknown, Some(2)),
            row("fine", Kind::Matrix, Outcome::Valid, Some(0)),
            row("bad", Kind::Matrix, Outcome::Invalid, Some(1)),
        ]));
        assert_eq!(
            lines,
            [
                "::error title=jepsen-tikv%3A bad is invalid::a | <reason>%0Ajepsen-tikv test --name bad",
                "::warning title=jepsen-tikv%3A odd is unknown::a | <reason>%0Ajepsen-tikv test --name odd",
            ]
        );
    }
}
