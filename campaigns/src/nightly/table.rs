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
    lines.push(format!("{}: {}", summary.outcome, markdown::tally(summary)));
    lines
}

/// Returns a reason cut to the length of a line.
pub fn cut(reason: &str) -> String {
    match reason.char_indices().nth(REASON_MAX) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}
