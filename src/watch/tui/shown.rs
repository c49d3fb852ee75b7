//! Gathers the contents of a frame.
//!
//! In: the run's progress, and the observations of the cluster so far. Out: plain data.

use crate::watch::live::{OperationShown, Past, Update};
use targets::observe::StoreSeen;
use terminal::{escaped, progress::Progress};

/// The most seconds of throughput that are shown, and the most events.
const SECONDS_MAX: usize = 300;
const EVENTS_MAX: usize = 100;

/// A frame's contents.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    /// The run's name.
    pub title: String,
    /// The run's present phase.
    pub phase: String,
    /// The time since the phase began, seconds.
    pub elapsed_s: f64,
    /// The length of the phase, if known, seconds.
    pub length_s: Option<f64>,
    /// The clients' successes in each second, the latest at the end.
    pub per_s: Vec<u64>,
    /// The operations of the last second, by kind.
    pub operations: Vec<(String, OperationShown)>,
    /// The stores.
    pub stores: Vec<StoreSeen>,
    /// The number of regions, and of those without a leader.
    pub regions: (usize, usize),
    /// The faults in force.
    pub in_force: Vec<String>,
    /// The reason why PD does not answer.
    pub pd_error: Option<String>,
    /// The events, the newest last: milliseconds since 1970, and a sentence.
    pub events: Vec<(u64, String)>,
}

impl Shown {
    /// Gathers the present contents.
    pub fn of(title: &str, progress: &Progress, past: Option<&Past>) -> Self {
        let (phase, elapsed, length) = progress.current();
        let mut shown = Self {
            title: title.to_owned(),
            phase,
            elapsed_s: elapsed.as_secs_f64(),
            length_s: length.map(|length| length.as_secs_f64()),
            events: progress.said(),
            ..Self::default()
        };
        if let Some(past) = past {
            past.with(|updates| updates.for_each(|update| shown.take(update)));
        }
        shown.events.sort_by_key(|(at_ms, _)| *at_ms);
        let surplus = shown.events.len().saturating_sub(EVENTS_MAX);
        shown.events.drain(..surplus);
        let surplus = shown.per_s.len().saturating_sub(SECONDS_MAX);
        shown.per_s.drain(..surplus);
        shown.escape();
        shown
    }

    /// Escapes foreign text like the lines of the result.
    fn escape(&mut self) {
        let stores = self
            .stores
            .iter_mut()
            .flat_map(|it| [&mut it.address, &mut it.status_address, &mut it.state]);
        let events = self.events.iter_mut().map(|(_, text)| text);
        let operations = self.operations.iter_mut().map(|(kind, _)| kind);
        let all = [&mut self.title, &mut self.phase].into_iter().chain(&mut self.in_force);
        for text in all.chain(&mut self.pd_error).chain(stores).chain(events).chain(operations) {
            *text = escaped(&*text);
        }
    }

    fn take(&mut self, update: &Update) {
        let sample = &update.sample;
        self.stores.clone_from(&sample.stores);
        let leaderless = sample.regions.iter().filter(|region| region.leader.is_none()).count();
        self.regions = (sample.regions.len(), leaderless);
        self.pd_error.clone_from(&sample.pd_error);
        self.events.extend(update.events.iter().map(|event| (event.at_ms, event.text.clone())));
        if let Some(tester) = &update.tester {
            let per_s: f64 = tester.operations.values().map(|it| it.ok_per_s).sum();
            self.per_s.push(per_s.round() as u64);
            self.operations =
                tester.operations.iter().map(|(kind, it)| (kind.clone(), *it)).collect();
            self.in_force.clone_from(&tester.in_force);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::tui::draw;
    use ratatui::{Terminal, backend::TestBackend};

    const HOSTILE: &str =
        "k\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}\u{2066}\u{200b}\r\nverdict: VALID";

    #[test]
    fn nothing_that_a_terminal_obeys_gets_into_a_frame() {
        let text = || HOSTILE.to_owned();
        let store = StoreSeen {
            id: 1,
            address: text(),
            status_address: text(),
            state: text(),
            leaders: 0,
            regions: 0,
            answers: true,
            process: None,
            pid: None,
        };
        let operation = OperationShown { ok_per_s: 1.0, ..OperationShown::default() };
        let mut shown = Shown {
            title: text(),
            phase: text(),
            operations: vec![(text(), operation)],
            stores: vec![store],
            in_force: vec![text()],
            pd_error: Some(text()),
            events: vec![(0, text())],
            ..Shown::default()
        };
        shown.escape();
        let again = shown.clone();
        shown.escape();
        assert_eq!(again, shown, "nothing is left to be shown as an escape");
        let mut terminal = Terminal::new(TestBackend::new(300, 60)).expect("a terminal");
        terminal.draw(|frame| draw::draw(frame, &shown)).expect("drawn");
        let cells = terminal.backend().buffer().content.iter();
        let drawn: String = cells.map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(escaped(&drawn), drawn);
        assert!(drawn.contains("k\\u{1b}[2J") && drawn.contains("\\nverdict"), "{drawn}");
    }
}
