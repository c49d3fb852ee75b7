//! How a history's format is told: from its beginning, whatever it is compressed with, however few
//! bytes arrive at once, and with the cause where it is refused.

use histories::{Event, ReadError, ReadOptions, source};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

fn imported() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("imported");
    let entries = |path: PathBuf| std::fs::read_dir(path).expect("a folder").flatten();
    let kinds = entries(folder).map(|kind| kind.path()).filter(|path| path.is_dir());
    kinds.flat_map(|kind| entries(kind).map(|entry| entry.path())).collect()
}

/// The events, or why there are none, in words.
fn read(path: &Path) -> Result<Vec<Event>, ReadError> {
    let mut events = Vec::new();
    source::open(path, ReadOptions::default())?.visit(|event| {
        events.push(Event {
            index: event.index,
            time_ns: event.time_ns,
            process: event.process,
            what: match event.what {
                histories::WhatRef::Invoke(operation) => {
                    histories::What::Invoke(operation.to_operation())
                }
                other => histories::What::FaultInvoke {
                    f: format!("{other:?}"),
                    value: serde_json::Value::Null,
                },
            },
            error: None,
            attempts: Vec::new(),
        });
        Ok::<(), ReadError>(())
    })?;
    Ok(events)
}

fn said(path: &Path) -> String {
    match read(path) {
        Ok(events) => format!("{events:?}"),
        Err(error) => format!("refused: {error}"),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).expect("memory");
    writer.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

#[test]
fn every_kind_is_read_compressed_as_it_is_read_plain() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut compared = 0;
    for path in imported() {
        let bytes = std::fs::read(&path).expect("readable");
        let plain = said(&path);
        let marked =
            [b"\xef\xbb\xbf".as_slice(), bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)]
                .concat();
        for variant in [gzip(&bytes), zstd(&bytes), marked] {
            std::fs::write(file.path(), variant).expect("written");
            assert_eq!(said(file.path()), plain, "{}", path.display());
            compared += 1;
        }
    }
    assert!(compared >= 300, "{compared}");
}

#[test]
fn a_log_may_say_other_things_for_megabytes_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jepsen.log");
    let line =
        "INFO [2018-02-04 22:14:17,146] jepsen node n1 - jepsen.os.debian :n1 setting up debian\n";
    let events = "INFO [2018-02-04 22:14:17,146] jepsen worker 0 - jepsen.util 0\t:invoke\t:read\tnil\n\
                  INFO [2018-02-04 22:14:17,146] jepsen worker 0 - jepsen.util 0\t:ok\t:read\tnil\n";
    let text = [line.repeat(40_000).as_str(), events].concat();
    assert!(text.len() > 3 << 20);
    for bytes in [text.clone().into_bytes(), gzip(text.as_bytes())] {
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(read(&path).expect("a history").len(), 2);
    }
    let comments = format!("{}[]", "; a comment\n".repeat(300_000));
    std::fs::write(&path, comments).expect("written");
    assert_eq!(read(&path).expect("a history").len(), 0);
}

#[test]
fn a_refusal_names_the_cause() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history");
    let history = "{:process 0, :type :invoke, :f :read, :value nil}\n".repeat(100);
    let utf_16: Vec<u8> = history.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big_endian: Vec<u8> = history.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 10].to_vec();
    let damaged = |mut bytes: Vec<u8>, at: usize| {
        bytes[at..at + 4].fill(0xff);
        bytes
    };
    for (bytes, words) in [
        (Vec::new(), "the file is empty"),
        (b" \n\t\n".to_vec(), "nothing but white space"),
        (zstd(b""), "the file is empty"),
        (utf_16.clone(), "UTF-16"),
        ([b"\xff\xfe".to_vec(), utf_16].concat(), "UTF-16"),
        ([b"\xfe\xff".to_vec(), big_endian.clone()].concat(), "UTF-16"),
        (big_endian, "UTF-16"),
        (b"{:process 0 \0".to_vec(), "binary data"),
        (b"{:process \xff\xff}".to_vec(), "line 1 is not UTF-8"),
        (b"PK\x03\x04........".to_vec(), "zip archive"),
        (b"BZh9........".to_vec(), "bzip2"),
        (b"\xfd7zXZ\0....".to_vec(), "xz"),
        (damaged(gzip(history.as_bytes()), 20), "gzip and damaged"),
        (damaged(zstd(history.as_bytes()), 6), "zstd and damaged"),
        (cut(gzip(history.as_bytes())), "gzip, and its end is missing"),
        (b"<html><body>Not found</body></html>\n".to_vec(), "no line of it is an event"),
        (b"[2018-01-01 00:00:00] nothing\n".to_vec(), "no line of it is an event"),
        (b"[1, 2, 3]".to_vec(), "no line of it is an event"),
        (b"{\"type\": \"invoke\", \"f\": \"read\"}".to_vec(), "type, f"),
    ] {
        std::fs::write(&path, bytes).expect("written");
        let error = read(&path).expect_err(words);
        assert!(!matches!(error, ReadError::Io(_)), "{words}: {error}");
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    let error = read(folder.path()).expect_err("a folder without a history");
    assert!(error.to_string().contains("client-*/operations.json"), "{error}");
}
