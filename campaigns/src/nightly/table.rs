//! The night's table on stdout. In: a [`Summary`]. Out: lines. Decides nothing.

use super::{markdown, outcome::Outcome, summary::Summary};

/// The longest reason; a longer one is cut here, and whole in summary.json.
const REASON_MAX: usize = 120;

/// Returns the lines of the table.
pub fn lines(summary: &Summary) -> Vec<String> {
    let width = summary.rows.iter().map(|row| row.label.len()).max().unwrap_or_default().max(3);
    let mut lines = vec![format!("{:8} {:>6}  {:width$}  seed", "verdict", "s", "run")];
    for row in &summary.rows {
        let seed = row.seed.map_or_else(String::new, |seed| seed.to_string());
        lines.push(format!("{:8} {:>6.0}  {:width$}  {seed}", row.outcome, row.seconds, row.label));
        if row.outcome != Outcome::Valid {
            lines.push(format!("    {}", cut(row.reason())));
            lines.push(format!("    repeat: {}", row.command));
        }
    }
    if !summary.trusted {
        lines.push("the self-test did not pass tonight, so nothing is called valid".into());
    }
    lines.push(markdown::tally(summary));
    let ran = summary.cells_ran().map_or_else(String::new, |ran| format!(": {ran}"));
    lines.push(format!("{}{ran}", summary.outcome));
    lines
}

/// Returns a reason cut to the length of a line.
pub fn cut(reason: &str) -> String {
    match reason.char_indices().nth(REASON_MAX) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            outcome::Kind,
            summary::tests::{row, summary},
        },
        *,
    };

    #[test]
    fn the_last_line_says_how_much_of_the_matrix_was_run() {
        let passed = row("self-test-1", Kind::SelfTest, Outcome::Valid, Some(0));
        let rows = vec![passed, row("a", Kind::Matrix, Outcome::Valid, Some(0))];
        let mut night = summary(rows);
        assert_eq!(lines(&night).last().map(String::as_str), Some("valid: 1 of 2 cells ran"));
        night.not_run.clear();
        assert_eq!(lines(&night).last().map(String::as_str), Some("valid"));
    }
}
