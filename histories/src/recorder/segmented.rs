//! The file behind a recorder, cut into [segments](crate::jsonl::segments) if that is wanted.
//!
//! In: events with their indexes. Out: `history.jsonl`, and a new one after each full one. A full
//! segment is compressed by a thread of its own, beside the recording; until it is whole and on
//! disk as `.zst`, the plain one stays. The files are readable wherever the process is killed: a
//! segment has its name before the file that follows it has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use crate::event::{Event, Header};
use crate::jsonl::Writer;
use crate::jsonl::segments::{FOLLOWS, compressed_segment_path, segment_path, with_suffix};

const BUFFER_BYTES: usize = 256 << 10;
/// zstd's own default: a history shrinks to about a tenth, faster than any store answers.
const LEVEL: i32 = zstd::DEFAULT_COMPRESSION_LEVEL;

/// Writes one history.
#[derive(Debug)]
pub(super) struct Segmented {
    path: PathBuf,
    header: Header,
    writer: Writer<BufWriter<File>>,
    /// The size from which on a segment is full.
    bytes_max: Option<u64>,
    /// The number of segments before this one.
    before: u64,
    compressor: Option<Compressor>,
}

impl Segmented {
    /// Creates the file, which must not exist yet, and writes the header to it.
    pub(super) fn create(path: &Path, header: &Header, bytes_max: Option<u64>) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Self::behind(path, header, bytes_max, file)
    }

    /// Creates the writer on a first file that is open already, and writes the header to it.
    pub(super) fn behind(
        path: &Path,
        header: &Header,
        bytes_max: Option<u64>,
        file: File,
    ) -> io::Result<Self> {
        let (path, header) = (path.to_owned(), header.clone());
        let writer = Writer::new(BufWriter::with_capacity(BUFFER_BYTES, file), &header)?;
        Ok(Self { path, header, writer, bytes_max, before: 0, compressor: None })
    }

    pub(super) fn write(&mut self, event: &Event) -> io::Result<()> {
        self.writer.write(event)?;
        if self.bytes_max.is_some_and(|most| self.writer.written() >= most) {
            self.cut()?;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// Passes everything on, syncs the file, and waits until the full segments are compressed.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let finished = self.writer.finish().and_then(|mut buffer| {
            buffer.flush()?;
            buffer.get_ref().sync_all()
        });
        if let Some(compressor) = self.compressor.take() {
            compressor.finish();
        }
        finished
    }

    /// Ends this segment and begins the next.
    fn cut(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        let mut header = self.header.clone();
        header.fields.insert(FOLLOWS.to_owned(), (self.before + 1).into());
        let fresh = with_suffix(&self.path, ".next");
        // A file left by an earlier process is overwritten: it belongs to nobody any more.
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&fresh)?;
        let mut writer = Writer::new(BufWriter::with_capacity(BUFFER_BYTES, file), &header)?;
        writer.flush()?;
        let full = segment_path(&self.path, self.before + 1);
        // With a second name there is no moment without a history; not every file system supports
        // hard links.
        if fs::hard_link(&self.path, &full).is_err() {
            fs::rename(&self.path, &full)?;
        }
        fs::rename(&fresh, &self.path)?;
        self.before += 1;
        self.writer = writer;
        let compressor = match self.compressor.take() {
            Some(compressor) => compressor,
            None => Compressor::start(&self.path)?,
        };
        self.compressor.insert(compressor).compress(self.before);
        Ok(())
    }
}

/// Compresses full segments, one after the other.
#[derive(Debug)]
struct Compressor {
    full: Sender<u64>,
    thread: JoinHandle<()>,
}

impl Compressor {
    fn start(history: &Path) -> io::Result<Self> {
        let (full, asked) = mpsc::channel();
        let history = history.to_owned();
        let thread = thread::Builder::new()
            .name("compressor".to_owned())
            .spawn(move || compress_all(&history, &asked))?;
        Ok(Self { full, thread })
    }

    fn compress(&self, number: u64) {
        // The thread ends only when the compressor does.
        let _ = self.full.send(number);
    }

    fn finish(self) {
        drop(self.full);
        self.thread.join().expect("the compressor's thread does not panic");
    }
}

fn compress_all(history: &Path, asked: &Receiver<u64>) {
    for number in asked {
        let (plain, whole) =
            (segment_path(history, number), compressed_segment_path(history, number));
        let fresh = with_suffix(&whole, ".part");
        if compress(&plain, &fresh, &whole).is_err() {
            // There may be no room; nothing is lost, since the plain segment is as good.
            let _ = fs::remove_file(&fresh);
        }
    }
}

fn compress(plain: &Path, fresh: &Path, whole: &Path) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(File::create(fresh)?, LEVEL)?;
    encoder.include_checksum(true)?;
    io::copy(&mut File::open(plain)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::rename(fresh, whole)?;
    fs::remove_file(plain)
}
