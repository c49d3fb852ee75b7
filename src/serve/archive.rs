//! All files of a run as one `.zip`, made while it is sent.
//!
//! In: a run's directory and its files. Out: the archive's bytes, into any writer. Nothing of it is kept in memory or on
//! disk; a file that grows meanwhile is in it as long as it was when its turn came.

use super::files::Kept;
use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    time::SystemTime,
};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// Longer files need the format's larger numbers.
const LARGE: u64 = 1 << 31;

/// Writes the archive. Everything in it lies in a folder of this name.
pub fn write(run: &Path, folder: &str, kept: &[Kept], to: impl Write) -> io::Result<()> {
    let mut archive = ZipWriter::new_stream(to);
    for file in kept {
        let Ok(source) = File::open(run.join(&file.name)) else { continue };
        let metadata = source.metadata()?;
        let length = metadata.len();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(metadata.modified().ok().and_then(date).unwrap_or_default())
            .large_file(length >= LARGE);
        archive.start_file(format!("{folder}/{}", file.name), options)?;
        io::copy(&mut source.take(length), &mut archive)?;
    }
    archive.finish()?;
    Ok(())
}

/// A moment as the format has it: UTC, to two seconds.
fn date(at: SystemTime) -> Option<DateTime> {
    let at = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::try_from(at).ok()?);
    let part = |part: i8| u8::try_from(part).ok();
    DateTime::from_date_and_time(
        u16::try_from(at.year()).ok()?,
        part(at.month())?,
        part(at.day())?,
        part(at.hour())?,
        part(at.minute())?,
        part(at.second())?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_is_what_was_on_disk() {
        let run = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(run.path().join("logs")).expect("made");
        let history = "{\"format\":1}\n".repeat(10_000);
        std::fs::write(run.path().join("history.jsonl"), &history).expect("written");
        std::fs::write(run.path().join("logs/pd1.log"), "log").expect("written");
        let mut bytes = Vec::new();
        write(run.path(), "20260101T000000.000Z", &super::super::files::of(run.path()), &mut bytes)
            .expect("written");
        assert!(bytes.len() < history.len() / 10, "it is compressed");
        let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes)).expect("an archive");
        let names: Vec<String> =
            archive.file_names().map(|name| name.expect("text").into_owned()).collect();
        assert_eq!(
            names,
            ["20260101T000000.000Z/history.jsonl", "20260101T000000.000Z/logs/pd1.log"]
        );
        let mut read = String::new();
        archive.by_index(0).expect("there").read_to_string(&mut read).expect("read");
        assert_eq!(read, history);
    }
}
