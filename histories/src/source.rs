//! Opens a history in any format that we read: our own, streamed; those of Jepsen, tipocket and etcd, read whole.
//!
//! In: a path, and the format where the user names it. Out: a [`Source`]: the header, then every event, once.

use std::fmt;
use std::io::{BufRead, Read};
use std::path::Path;

use crate::borrowed::EventRef;
use crate::error::ReadError;
use crate::event::{Event, Header};
use crate::import::{read_edn, read_etcd, read_text_log, read_tipocket};
use crate::jsonl::{self, Position, Reader};

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own, `history.jsonl`.
    Jsonl,
    /// Jepsen's and Knossos' EDN.
    Edn,
    /// Text logs of Jepsen, Knossos and Porcupine.
    Log,
    /// Lines of tipocket.
    Tipocket,
    /// Operations of etcd's robustness tests, `operations.json`.
    Etcd,
}

/// Imported histories are held in memory; those of a day's run are a hundredth of this.
const IMPORTED_BYTES_MAX: u64 = 1 << 30;

/// An opened history.
pub struct Source {
    /// The header's free fields; empty for imported histories.
    pub header: Header,
    /// The format it is in.
    pub format: Format,
    /// How far the file is read.
    pub position: Position,
    events: Events,
}

enum Events {
    Streamed(Reader<Box<dyn BufRead + Send>>),
    Read(Vec<Result<Event, ReadError>>),
}

impl Source {
    /// Hears every event, up to the first error, the listener's or our own. Our own format is parsed on rayon's
    /// current pool; the listener is called by one thread at a time.
    pub fn hear<E: From<ReadError> + Send>(
        self,
        mut listener: impl FnMut(EventRef<'_>) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        match self.events {
            Events::Streamed(reader) => reader.hear(listener),
            Events::Read(events) => {
                events.into_iter().try_for_each(|event| listener(event?.borrowed()))
            }
        }
    }
}

/// Opens a history that the user names: a file of any kind, plain or compressed with zstd, or `-` for standard input. The
/// format is told from the file's first bytes unless it is given.
pub fn open(path: &Path, format: Option<Format>) -> Result<Source, ReadError> {
    opened(jsonl::open_bytes(path)?, format)
}

/// Opens a history in a run directory, which may be somebody else's: a plain file, see [`crate::plain_file`].
pub fn open_found(path: &Path, format: Option<Format>) -> Result<Source, ReadError> {
    opened(jsonl::open_found(path)?, format)
}

fn opened(
    (mut bytes, position): (Box<dyn BufRead + Send>, Position),
    format: Option<Format>,
) -> Result<Source, ReadError> {
    let format = match format {
        Some(format) => format,
        None => told_from(bytes.fill_buf()?)?,
    };
    if format == Format::Jsonl {
        let reader = Reader::new(bytes)?;
        let header = reader.header().clone();
        return Ok(Source { header, format, position, events: Events::Streamed(reader) });
    }
    let mut text = String::new();
    bytes.by_ref().take(IMPORTED_BYTES_MAX).read_to_string(&mut text).map_err(
        |error| match error.kind() {
            std::io::ErrorKind::InvalidData => {
                ReadError::Foreign { reason: "the file is not UTF-8 text".to_owned() }
            }
            _ => error.into(),
        },
    )?;
    if !bytes.fill_buf()?.is_empty() {
        return Err(ReadError::Foreign {
            reason: format!(
                "it holds more than {IMPORTED_BYTES_MAX} bytes; histories of other projects are read whole"
            ),
        });
    }
    // Imported files are small, so the events are made at once and the text is let go.
    let mut header = Header::default();
    let events: Vec<_> = match format {
        Format::Edn => read_edn(&text).collect(),
        Format::Tipocket => read_tipocket(&text).collect(),
        Format::Etcd => {
            let history = read_etcd(&text);
            if !history.left_out.is_empty() {
                let target = format!("etcd, imported without {}", history.left_out.join(" and "));
                header.fields.insert("target".into(), target.into());
            }
            history.events
        }
        Format::Log | Format::Jsonl => read_text_log(&text).collect(),
    };
    if events.is_empty() {
        return Err(ReadError::Foreign { reason: "there is no event in the file".to_owned() });
    }
    Ok(Source { header, format, position, events: Events::Read(events) })
}

/// The format of a file that begins with these bytes.
fn told_from(beginning: &[u8]) -> Result<Format, ReadError> {
    let text = String::from_utf8_lossy(beginning);
    let text = text.trim_start();
    if text.starts_with("{\"action\"") {
        Ok(Format::Tipocket)
    } else if text.starts_with("{\"ClientId\"") {
        Ok(Format::Etcd)
    } else if text.starts_with("{\"") || text.is_empty() {
        Ok(Format::Jsonl)
    } else if text.starts_with(['[', '(', ';', '{', '#']) {
        Ok(Format::Edn)
    } else if text.contains("jepsen.util - ") {
        Ok(Format::Log)
    } else {
        let reason = "it begins neither as history.jsonl, nor as EDN, nor as a log of Jepsen, tipocket or etcd";
        Err(ReadError::Foreign { reason: reason.to_owned() })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("header", &self.header)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}
