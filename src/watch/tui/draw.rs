//! Draws a frame: progress, faults, throughput and latency, stores, last events.
//!
//! In: the frame's contents. Out: widgets in a frame of any size; without room the lower ones are
//! left out. Nothing is expressed by colour alone.

use super::shown::Shown;
use crate::watch::live::OperationShown;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Span},
    widgets::{Block, Cell, Gauge, List, ListItem, Row, Sparkline, Table},
};
use targets::observe::ProcessWord;

/// The number of operations' rows that have room beside the throughput.
const KINDS_MAX: usize = 5;

/// Draws a frame.
pub fn draw(frame: &mut Frame<'_>, shown: &Shown) {
    let stores = shown.stores.len().clamp(1, 12) as u16 + 3;
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(KINDS_MAX as u16 + 3),
        Constraint::Length(stores),
        Constraint::Min(3),
    ]);
    let [title, progress, faults, operations, stores, events] = rows.areas(frame.area());
    let ends = "Ctrl-C ends early, twice at once ";
    frame
        .render_widget(Line::from(vec![shown.title.as_str().bold(), "  jepsen-tikv".dim()]), title);
    frame.render_widget(Line::from(ends.dim()).right_aligned(), title);
    frame.render_widget(gauge(shown), progress);
    frame.render_widget(in_force(shown), faults);
    let [left, right] =
        Layout::horizontal([Constraint::Fill(2), Constraint::Fill(3)]).areas(operations);
    throughput(frame, shown, left);
    frame.render_widget(kinds(shown), right);
    frame.render_widget(table_of_stores(shown), stores);
    frame.render_widget(last_events(shown, events), events);
}

fn gauge(shown: &Shown) -> Gauge<'_> {
    let (ratio, label) = match shown.length_s {
        Some(length) if length > 0.0 => (
            (shown.elapsed_s / length).clamp(0.0, 1.0),
            format!("{}: {:.0} of {length:.0} s", shown.phase, shown.elapsed_s.min(length)),
        ),
        _ => (0.0, format!("{}: {:.0} s", shown.phase, shown.elapsed_s)),
    };
    Gauge::default()
        .ratio(ratio)
        .label(label)
        .gauge_style(Style::new().fg(Color::Blue).bg(Color::Black))
}

fn in_force(shown: &Shown) -> Line<'_> {
    if let Some(error) = &shown.pd_error {
        return Line::from(Span::styled(error.as_str(), Style::new().fg(Color::Red)));
    }
    if shown.in_force.is_empty() {
        return Line::from("no fault in force".dim());
    }
    let words = format!("in force: {}", shown.in_force.join(", "));
    Line::from(Span::styled(words, Style::new().fg(Color::Magenta).add_modifier(Modifier::BOLD)))
}

fn throughput(frame: &mut Frame<'_>, shown: &Shown, area: Rect) {
    let now = shown.per_s.last().copied().unwrap_or(0);
    let block = Block::bordered().title(format!(" successes a second: {now} "));
    let room = block.inner(area).width as usize;
    let from = shown.per_s.len().saturating_sub(room);
    let line = Sparkline::default().block(block).data(&shown.per_s[from..]);
    frame.render_widget(line.style(Style::new().fg(Color::Green)), area);
}

fn kinds(shown: &Shown) -> Table<'_> {
    let number = |value: f64| Cell::from(Line::from(format!("{value:.1}")).right_aligned());
    let row = |(kind, it): &(String, OperationShown)| {
        let mut cells = vec![Cell::from(kind.clone())];
        let errors = number(it.error_per_s);
        cells.push(number(it.ok_per_s));
        cells.push(if it.error_per_s > 0.0 { errors.style(Color::Red) } else { errors });
        cells.extend([number(it.p50_ms), number(it.p99_ms)]);
        Row::new(cells)
    };
    let rows = shown.operations.iter().take(KINDS_MAX).map(row);
    let heads = ["operation", "ok/s", "not ok/s", "median ms", "99 % ms"];
    let heads = heads.into_iter().enumerate().map(|(place, head)| {
        let line = Line::from(head);
        Cell::from(if place == 0 { line } else { line.right_aligned() })
    });
    let widths = [
        Constraint::Min(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Length(8),
    ];
    Table::new(rows, widths)
        .header(Row::new(heads).bold())
        .block(Block::bordered().title(" clients, last second "))
}

fn table_of_stores(shown: &Shown) -> Table<'_> {
    let row = |store: &targets::observe::StoreSeen| {
        let (word, colour) = match (store.process, store.answers) {
            (Some(ProcessWord::Running), _) => ("running", Color::Green),
            (Some(ProcessWord::Stopped), _) => ("STOPPED", Color::Yellow),
            (Some(ProcessWord::Gone), _) => ("GONE", Color::Red),
            (None, true) => ("answers", Color::Green),
            (None, false) => ("NO ANSWER", Color::Yellow),
        };
        Row::new([
            Cell::from(format!("store-{}", store.id)),
            Cell::from(store.address.clone()),
            Cell::from(word).style(Style::new().fg(colour)),
            Cell::from(store.state.clone()),
            Cell::from(store.leaders.to_string()),
            Cell::from(store.regions.to_string()),
        ])
    };
    let (regions, leaderless) = shown.regions;
    let title = match leaderless {
        0 => format!(" stores, {regions} regions "),
        some => format!(" stores, {regions} regions, {some} WITHOUT A LEADER "),
    };
    let widths = [
        Constraint::Length(6),
        Constraint::Min(15),
        Constraint::Length(10),
        Constraint::Length(13),
        Constraint::Length(8),
        Constraint::Length(8),
    ];
    Table::new(shown.stores.iter().map(row), widths)
        .header(Row::new(["store", "address", "process", "PD says", "leaders", "regions"]).bold())
        .block(Block::bordered().title(title))
}

fn last_events(shown: &Shown, area: Rect) -> List<'_> {
    let room = area.height.saturating_sub(2) as usize;
    let item = |(at_ms, text): &(u64, String)| {
        let at = jiff::Timestamp::from_millisecond(*at_ms as i64).unwrap_or_default();
        let time = at.strftime("%H:%M:%S ").to_string();
        ListItem::new(Line::from(vec![time.dim(), text.clone().into()]))
    };
    // The newest first: without room the oldest are left out.
    let items = shown.events.iter().rev().take(room).map(item);
    List::new(items).block(Block::bordered().title(" last events, UTC "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::{Terminal, backend::TestBackend};
    use targets::observe::StoreSeen;

    fn store(id: u64, process: Option<ProcessWord>) -> StoreSeen {
        StoreSeen {
            id,
            address: format!("127.0.0.1:2016{id}"),
            status_address: String::new(),
            state: "Up".into(),
            leaders: 2,
            regions: 5,
            answers: true,
            process,
            pid: None,
        }
    }

    fn shown() -> Shown {
        let fares =
            OperationShown { ok_per_s: 812.0, error_per_s: 3.0, p50_ms: 1.5, p99_ms: 20.25 };
        Shown {
            title: "a-run".into(),
            phase: "clients and faults".into(),
            elapsed_s: 12.0,
            length_s: Some(60.0),
            per_s: vec![10, 400, 812],
            operations: vec![("READ".into(), fares)],
            stores: vec![
                store(1, Some(ProcessWord::Running)),
                store(4, Some(ProcessWord::Stopped)),
            ],
            regions: (6, 1),
            in_force: vec!["pause-leader".into()],
            pd_error: None,
            events: vec![
                (0, "store-4 was stopped".into()),
                (61_000, "leader of region 15 moved".into()),
            ],
        }
    }

    fn lines(shown: &Shown, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        terminal.draw(|frame| draw(frame, shown)).expect("drawn");
        let buffer = terminal.backend().buffer();
        let cells = buffer.content.chunks(width as usize);
        cells.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect()).collect()
    }

    #[test]
    fn a_frame_says_what_the_live_page_says() {
        let text = lines(&shown(), 80, 24).join("\n");
        for part in [
            "a-run",
            "clients and faults: 12 of 60 s",
            "in force: pause-leader",
            "successes a second: 812",
            "READ",
            "812.0",
            "20.2",
            "STOPPED",
            "running",
            "1 WITHOUT A LEADER",
            "00:01:01 leader of region 15 moved",
            "00:00:00 store-4 was stopped",
            "Ctrl-C",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        let newest = text.find("leader of region 15").expect("there");
        assert!(newest < text.find("store-4 was stopped").expect("there"));
    }

    #[test]
    fn a_terminal_of_any_size_is_drawn_on() {
        for (width, height) in [(1, 1), (20, 5), (80, 10), (300, 100)] {
            assert_eq!(lines(&shown(), width, height).len(), height as usize);
            assert_eq!(lines(&Shown::default(), width, height).len(), height as usize);
        }
        let mut dead = shown();
        dead.pd_error = Some("PD does not answer".into());
        assert!(lines(&dead, 80, 24).join("\n").contains("PD does not answer"));
    }
}
