//! Reads only the end of a history: the time of the last event, and whether the last line is torn.
//!
//! In: a history file as the recorder writes it. Out: [`Tail`]. A compressed or foreign file has
//! none.

use run_directory::plain_file;
use std::{
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// The bytes that are read at first, and the bytes that are read if a line is longer.
const READ: [u64; 2] = [64 << 10, 4 << 20];

/// The end of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// The last whole event's time, nanoseconds since the run's start.
    pub last_ns: Option<u64>,
    /// True if the last line is incomplete.
    pub torn: bool,
}

/// Reads a file's end; `None` if it cannot be read or is not text.
pub fn read(path: &Path) -> Option<Tail> {
    let mut file = plain_file::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut beginning = [0];
    if file.read(&mut beginning).ok()? == 0 || beginning[0] != b'{' {
        return None;
    }
    let mut found = None;
    for most in READ {
        let from = length.saturating_sub(most);
        file.seek(SeekFrom::Start(from)).ok()?;
        let mut bytes = Vec::new();
        file.by_ref().take(length - from).read_to_end(&mut bytes).ok()?;
        let torn = bytes.last() != Some(&b'\n');
        let last_ns = last_time(&bytes, from == 0);
        found = Some(Tail { last_ns, torn });
        if last_ns.is_some() || from == 0 {
            break;
        }
    }
    found
}

/// Returns the time of the last whole line. The first line counts only if the bytes begin with it.
fn last_time(bytes: &[u8], whole: bool) -> Option<u64> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n')?;
    let start = match bytes[..end].iter().rposition(|byte| *byte == b'\n') {
        Some(before) => before + 1,
        None if whole => 0,
        None => return None,
    };
    // The recorder writes: {"index":12,"time":345,…
    let line = &bytes[start..end.min(start + 100)];
    let text = std::str::from_utf8(line).unwrap_or_else(|error| {
        std::str::from_utf8(&line[..error.valid_up_to()]).unwrap_or_default()
    });
    let digits = text.split_once("\"time\":")?.1;
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(text: &[u8]) -> Option<Tail> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        read(file.path())
    }

    #[test]
    fn the_last_whole_line_tells_the_time() {
        let header = "{\"format\":\"jepsen-tikv history\"}\n";
        let event = "{\"index\":0,\"time\":123,\"process\":1}\n";
        let of = |text: &str| tail(text.as_bytes());
        assert_eq!(of(header), Some(Tail { last_ns: None, torn: false }));
        let whole = format!("{header}{event}");
        assert_eq!(of(&whole), Some(Tail { last_ns: Some(123), torn: false }));
        let torn = format!("{whole}{{\"index\":1,\"time\":99");
        assert_eq!(of(&torn), Some(Tail { last_ns: Some(123), torn: true }));
        let long =
            format!("{header}{{\"index\":0,\"time\":5,\"value\":\"{}\"}}\n", "x".repeat(200_000));
        assert_eq!(of(&long), Some(Tail { last_ns: Some(5), torn: false }));
        assert_eq!(tail(&[0x28, 0xb5, 0x2f, 0xfd]), None, "compressed");
        assert_eq!(of(""), None);
    }
}
