//! Reading fast is reading: on well-formed files, and on files with anything wrong in them,
//! [`Reader::observe`] gives the same events and the same refusal as reading line by line with
//! `serde_json`.

use histories::jsonl::{Reader, Writer};
use histories::order::Order;
use histories::{Answer, Attempt, Event, Header, Operation, Outcome, Process, ReadError, What};
use proptest::prelude::*;

/// What a history is made of: a client, what it does when it has nothing open, how that ends, a
/// value.
type Step = (u64, u8, u8, String);

const KEYS: [&str; 4] = ["a", "user1", "a key with \"quotes\" and \u{e4}", "\u{ff}\u{0}"];

fn key(choice: u8) -> Vec<u8> {
    match choice % 5 {
        4 => vec![0xff, 0xfe, b'"'],
        plain => KEYS[usize::from(plain)].as_bytes().to_vec(),
    }
}

fn operation(choice: u8, value: &str) -> Operation {
    let (key, value) = (key(choice / 8), value.as_bytes().to_vec());
    match choice % 8 {
        0 | 1 => Operation::Get { key },
        2 | 3 => Operation::Put { key, value, ttl_s: choice.is_multiple_of(3).then_some(9) },
        4 => Operation::Delete { key },
        5 => Operation::Cas {
            key,
            expected: (choice / 8).is_multiple_of(2).then(|| value.clone()),
            new: value,
        },
        6 => Operation::BatchPut { pairs: vec![(key, value)] },
        _ => Operation::Scan { start: key, end: None, limit: 3, reverse: false, key_only: false },
    }
}

fn answer(operation: &Operation, value: &str) -> Answer {
    let value = (!value.is_empty()).then(|| value.as_bytes().to_vec());
    match operation {
        Operation::Get { .. } => Answer::Got(value),
        Operation::Cas { .. } if value.as_ref().is_some_and(|value| value.len() == 1) => {
            Answer::CasFailed
        }
        Operation::Cas { .. } => Answer::Cas { swapped: value.is_none(), previous: value },
        Operation::Scan { .. } => Answer::Scanned(vec![(b"a".to_vec(), b"b".to_vec())]),
        _ => Answer::Done,
    }
}

/// A well-formed file.
fn file(steps: &[Step]) -> Vec<u8> {
    let mut order = Order::new();
    let mut open: Vec<Option<Operation>> = vec![None; 4];
    let mut writer = Writer::new(Vec::new(), &Header::default()).expect("memory");
    for (index, (client, choice, end, value)) in (0..).zip(steps) {
        let (error, attempts) = match end % 7 {
            6 => (Some("gone \"away\"".to_owned()), vec![Attempt::default()]),
            _ => (None, Vec::new()),
        };
        let (process, what) = match (choice, open[*client as usize].take()) {
            (255, held) => {
                open[*client as usize] = held;
                let value = serde_json::json!({ "fault": end });
                (Process::Nemesis, What::FaultInvoke { f: "pause".to_owned(), value })
            }
            (_, None) => {
                let operation = operation(*choice, value);
                open[*client as usize] = Some(operation.clone());
                (Process::Client(*client), What::Invoke(operation))
            }
            (_, Some(operation)) => {
                let outcome = match end % 4 {
                    0 => Outcome::Fail,
                    1 => Outcome::Info,
                    _ => Outcome::Ok(answer(&operation, value)),
                };
                (Process::Client(*client), What::Complete(operation, outcome))
            }
        };
        let event = Event { index, time_ns: index * 7, process, what, error, attempts };
        order.event(&event).expect("well-formed");
        writer.write(&event).expect("memory");
    }
    writer.finish().expect("memory")
}

/// Reads twice; what was read, and the refusal in words.
fn both(file: &[u8]) -> Result<(usize, Option<String>), TestCaseError> {
    let said = |error: ReadError| format!("{error:?}");
    let (Ok(plain), Ok(fast)) = (Reader::new(file), Reader::new(file)) else {
        return Ok((0, None));
    };
    let mut events = Vec::new();
    let mut refusal = None;
    for event in plain {
        match event {
            Ok(event) => events.push(event),
            Err(error) => refusal = Some(said(error)),
        }
    }
    let mut heard = 0;
    let fast = fast.visit(|event| {
        assert_eq!(event, events[heard].borrowed());
        heard += 1;
        Ok::<(), ReadError>(())
    });
    prop_assert_eq!(heard, events.len());
    prop_assert_eq!(fast.err().map(said), refusal.clone());
    Ok((heard, refusal))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0..4_u64, any::<u8>(), any::<u8>(), "[a-z0-9\"\\\\é\n]{0,11}"), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(debug_assertions) { 300 } else { 20_000 },
        ..ProptestConfig::default()
    })]

    #[test]
    fn well_formed_files_are_heard_as_they_are_read(steps in steps()) {
        let (heard, refusal) = both(&file(&steps))?;
        prop_assert_eq!((heard, refusal), (steps.len(), None));
    }

    /// One small damage: bytes replaced, put in, taken out, or everything behind them cut off.
    /// Digits, quotes, braces and blanks do the most harm.
    #[test]
    fn damaged_files_are_refused_with_the_same_words_at_the_same_line(
        steps in steps(),
        place in any::<prop::sample::Index>(),
        damage in 0..4_u8,
        by in prop::sample::select(
            b"0019,:{}[]\"\" \\\n\r\t\0nulltruexinvokeokfail\x7f\xc3\xff".to_vec()
        ),
        length in 1..4_usize,
    ) {
        let mut file = file(&steps);
        let header = file.iter().position(|byte| *byte == b'\n').expect("a header") + 1;
        let at = header + place.index(file.len() - header);
        let end = (at + length).min(file.len());
        match damage {
            0 => file[at] = by,
            1 => file.insert(at, by),
            2 => drop(file.drain(at..end)),
            _ => file.truncate(at),
        }
        both(&file)?;
    }

    /// Lines in another order, twice, or not at all break the rules between events.
    #[test]
    fn rules_between_events_are_the_same(
        steps in steps(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(),
        renumber in any::<bool>(),
    ) {
        let text = String::from_utf8(file(&steps)).expect("a history is UTF-8");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let copied = lines[1 + from.index(lines.len() - 1)].clone();
        lines.insert(1 + to.index(lines.len() - 1), copied);
        if renumber {
            for (index, line) in lines.iter_mut().skip(1).enumerate() {
                let comma = line.find(',').expect("fields");
                *line = format!("{{\"index\":{index}{}", &line[comma..]);
            }
        }
        both((lines.join("\n") + "\n").as_bytes())?;
    }
}

/// Several batches, and a refusal in each part of them.
#[test]
fn long_files_are_heard_in_order_and_refused_at_the_right_line() {
    let line = |index: u64| {
        let (kind, client) =
            if index.is_multiple_of(2) { ("invoke", index) } else { ("ok", index - 1) };
        let key = "k".repeat((client % 97) as usize);
        format!(
            r#"{{"index":{index},"time":{index},"process":{client},"type":"{kind}","f":"put","key":"{key}","value":"{client}"}}"#
        )
    };
    let mut lines: Vec<String> = (0..50_000).map(line).collect();
    lines.insert(0, r#"{"format":"jepsen-tikv history","version":1}"#.to_owned());
    for wrong in [None, Some(2), Some(30_001), Some(50_000)] {
        let mut lines = lines.clone();
        if let Some(wrong) = wrong {
            lines[wrong] = lines[wrong].replace("put", "push");
        }
        let file = lines.join("\n");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
        for (heard, refusal) in [both(file.as_bytes()), pool.install(|| both(file.as_bytes()))]
            .map(|it| it.expect("same"))
        {
            assert_eq!(heard, wrong.map_or(50_000, |wrong| wrong - 1));
            let said = wrong.map(|wrong| format!("line: {}", wrong + 1));
            assert_eq!(refusal.is_some(), said.is_some());
            assert!(said.is_none_or(|said| refusal.is_some_and(|it| it.contains(&said))));
        }
    }
}
