//! Opens a history in any format that we read: our own, streamed; those of Jepsen, tipocket and
//! etcd, read whole.
//!
//! In: a path, and the user's options. Out: a [`Source`]: the header, then every event, once.

use std::fmt;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use crate::beginning::{self, Beginning};
use crate::borrowed::EventRef;
use crate::error::ReadError;
use crate::event::{Event, Header};
use crate::folder::{self, Holds};
use crate::import::{
    Imported, Place, read_edn, read_etcd, read_etcd_files, read_text_log, read_tipocket,
};
use crate::jsonl::{self, Position, Reader};
use crate::peeked::Peeked;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own, `history.jsonl`.
    Jsonl,
    /// Jepsen's and Knossos' EDN.
    Edn,
    /// Text logs of Jepsen, Knossos and Porcupine, and Jepsen's history.txt.
    Log,
    /// Lines of tipocket.
    Tipocket,
    /// Operations of etcd's robustness tests, `operations.json`.
    Etcd,
}

/// The user's word on a history; whatever it leaves open is detected from the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format.
    pub format: Option<Format>,
    /// True if values in EDN and text logs are `[key value]` (`jepsen.independent`), false if not.
    pub independent: Option<bool>,
}

/// Imported histories are held in memory; the history of a day's run is a hundredth of this.
const IMPORTED_BYTES_MAX: u64 = 1 << 30;

/// An opened history.
pub struct Source {
    /// The header's free fields. The header of an imported history lists the parts left out as
    /// `left-out`.
    pub header: Header,
    /// The history's format.
    pub format: Format,
    /// The position up to which the file is read.
    pub position: Position,
    /// The place in the file of the event of each index; of an imported history only.
    pub places: Vec<Place>,
    events: Events,
}

enum Events {
    Streamed(Reader<Box<dyn BufRead + Send>>),
    Read(Vec<Result<Event, ReadError>>),
}

impl Source {
    /// Passes every event to the listener, up to the first error, the listener's or our own. Our
    /// own format is parsed on rayon's current pool; the listener is called by one thread at a
    /// time.
    pub fn visit<E: From<ReadError> + Send>(
        self,
        mut listener: impl FnMut(EventRef<'_>) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        match self.events {
            Events::Streamed(reader) => reader.visit(listener),
            Events::Read(events) => {
                events.into_iter().try_for_each(|event| listener(event?.borrowed()))
            }
        }
    }

    fn imported(format: Format, position: Position, imported: Imported) -> Self {
        let Imported { events, places, left_out } = imported;
        let mut header = Header::default();
        if !left_out.is_empty() {
            header.fields.insert("left-out".into(), left_out.join(" and ").into());
        }
        Self { header, format, position, places, events: Events::Read(events) }
    }
}

/// Returns true if a folder holds a history of another project.
pub fn is_history_folder(folder: &Path) -> bool {
    folder.is_dir() && !matches!(folder::history_in(folder), Ok(Holds::Nothing) | Err(_))
}

/// Opens a history that the user names. This is a file of any kind, plain or compressed with zstd
/// or gzip, a folder of Jepsen or etcd, or `-` for standard input. The format is detected from the
/// file's beginning unless it is given.
pub fn open(path: &Path, options: ReadOptions) -> Result<Source, ReadError> {
    if path.is_dir() {
        return open_folder(path, options);
    }
    opened(path, jsonl::open_bytes(path)?, options)
}

/// Opens a history in a run directory, which may be somebody else's: a plain file, see
/// [`crate::plain_file`].
pub fn open_found(path: &Path, options: ReadOptions) -> Result<Source, ReadError> {
    if path.is_dir() {
        return open_folder(path, options);
    }
    opened(path, jsonl::open_found(path)?, options)
}

fn opened(
    path: &Path,
    (bytes, position): (Box<dyn BufRead + Send>, Position),
    options: ReadOptions,
) -> Result<Source, ReadError> {
    let mut bytes = Peeked::new(bytes);
    let Beginning { format, is_lines } = beginning::look(&mut bytes, options.format)?;
    if format == Format::Jsonl {
        return open_jsonl(bytes, is_lines, position);
    }
    let text = text(bytes)?;
    // Imported files are small, so the events are made at once and the text is freed.
    let imported = match format {
        Format::Edn => read_edn(&text, options.independent),
        Format::Tipocket => read_tipocket(&text),
        Format::Etcd => match folder::report_around(path) {
            Some(report) => {
                return Err(ReadError::Foreign {
                    reason: format!(
                        "it is what one of several clients saw, and without the others it cannot be judged: name the \
                         folder {}",
                        report.display()
                    ),
                });
            }
            None => read_etcd(&text),
        },
        Format::Log | Format::Jsonl => read_text_log(&text, options.independent),
    };
    Ok(Source::imported(format, position, imported))
}

fn open_jsonl(
    mut bytes: Peeked<Box<dyn BufRead + Send>>,
    is_lines: bool,
    position: Position,
) -> Result<Source, ReadError> {
    let format = Format::Jsonl;
    if !is_lines {
        let (header, events) = jsonl::read_values(&text(bytes)?)?;
        let events = Events::Read(events);
        return Ok(Source { header, format, position, places: Vec::new(), events });
    }
    let held = bytes.held();
    let blank = held.len() - held.trim_ascii_start().len();
    let lines = memchr::memchr_iter(b'\n', &held[..blank]).count() as u64;
    bytes.advance(blank);
    let reader = Reader::behind(Box::new(bytes) as Box<dyn BufRead + Send>, lines)?;
    let header = reader.header().clone();
    let events = Events::Streamed(reader);
    Ok(Source { header, format, position, places: Vec::new(), events })
}

fn text(bytes: impl Read) -> Result<String, ReadError> {
    let mut text = Vec::new();
    let mut bytes = bytes.take(IMPORTED_BYTES_MAX + 1);
    bytes.read_to_end(&mut text)?;
    if text.len() as u64 > IMPORTED_BYTES_MAX {
        return Err(ReadError::Foreign {
            reason: format!(
                "it holds more than {IMPORTED_BYTES_MAX} bytes; histories of other projects are read whole"
            ),
        });
    }
    String::from_utf8(text).map_err(|error| {
        let read = error.utf8_error().valid_up_to();
        let line = memchr::memchr_iter(b'\n', &error.as_bytes()[..read]).count() + 1;
        ReadError::Foreign { reason: format!("line {line} is not UTF-8 text") }
    })
}

/// Opens the history in a folder of Jepsen or etcd.
fn open_folder(folder: &Path, options: ReadOptions) -> Result<Source, ReadError> {
    match folder::history_in(folder)? {
        Holds::One(file) => open_found(&file, options),
        Holds::Clients(files) => open_clients(folder, &files),
        Holds::Nothing => Err(ReadError::Foreign {
            reason: "the folder holds neither history.jsonl, nor history.edn, history.txt or jepsen.log of Jepsen, \
                     nor client-*/operations.json of etcd"
                .to_owned(),
        }),
    }
}

/// Opens the files of several clients as one history.
fn open_clients(folder: &Path, files: &[PathBuf]) -> Result<Source, ReadError> {
    let mut texts = Vec::new();
    let mut position = Position::default();
    for file in files {
        let (bytes, read) = jsonl::open_found(file)?;
        let name = file.strip_prefix(folder).unwrap_or(file).display().to_string();
        let mut bytes = Peeked::new(bytes);
        let named = |error| ReadError::Foreign { reason: format!("{name}: {error}") };
        beginning::look(&mut bytes, Some(Format::Etcd)).map_err(named)?;
        texts.push((Some(name), text(bytes)?));
        position = read;
    }
    let texts: Vec<_> = texts.iter().map(|(name, text)| (name.clone(), text.as_str())).collect();
    Ok(Source::imported(Format::Etcd, position, read_etcd_files(&texts)))
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("header", &self.header)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}
