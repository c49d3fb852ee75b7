//! Compressed files: zstd and gzip are uncompressed while they are read; other kinds of archives
//! are refused by name.
//!
//! In: bytes, as they come, a few at a time or many. Out: plain bytes. The kind is detected from
//! the first bytes, not from a name. Damage is an error of the kind [`io::ErrorKind::InvalidData`]
//! that says what is damaged; a missing end is [`io::ErrorKind::UnexpectedEof`].

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::peeked::Peeked;

const BUFFER_BYTES: usize = 1 << 20;
/// The number of bytes that identify every kind but tar.
const MAGIC_BYTES: usize = 6;

/// Kinds that are refused: their first bytes, and advice to the user.
const FOREIGN: [(&[u8], &str); 6] = [
    (b"PK\x03\x04", "a zip archive: unpack it and name what is in it"),
    (b"BZh", "compressed with bzip2: uncompress it with bunzip2"),
    (b"\xfd7zXZ\0", "compressed with xz: uncompress it with unxz"),
    (b"\x04\x22\x4d\x18", "compressed with lz4: uncompress it with unlz4"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it and name what is in it"),
    (b"\x7fELF", "a program"),
];

/// Reads plain bytes of a source that may be compressed.
pub(crate) fn uncompressed(
    source: impl Read + Send + 'static,
) -> io::Result<Box<dyn BufRead + Send>> {
    let mut source = Peeked::new(source);
    source.hold(MAGIC_BYTES)?;
    let first = source.held();
    if let Some((_, what)) = FOREIGN.iter().find(|(magic, _)| first.starts_with(magic)) {
        return Err(invalid(format!("it is {what}")));
    }
    let (is_zstd, is_gzip) = (is_zstd(first), first.starts_with(&[0x1f, 0x8b]));
    let source = BufReader::with_capacity(BUFFER_BYTES, source);
    if is_zstd {
        let decoder = zstd::stream::read::Decoder::with_buffer(source)?;
        let source = Uncompressed { decoder, kind: "zstd", ended: None };
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, source)))
    } else if is_gzip {
        let decoder = MultiGzDecoder::new(source);
        let source = Uncompressed { decoder, kind: "gzip", ended: None };
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, source)))
    } else {
        Ok(Box::new(source))
    }
}

/// Returns true for a frame of zstd, or one that it skips.
fn is_zstd(first: &[u8]) -> bool {
    match first {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => true,
        [low, 0x2a, 0x4d, 0x18, ..] => low & 0xf0 == 0x50,
        _ => false,
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// A decoder that marks errors of its input apart from errors of the disk, and repeats them on
/// later reads.
struct Uncompressed<D> {
    decoder: D,
    kind: &'static str,
    ended: Option<(io::ErrorKind, String)>,
}

impl<D: Read> Read for Uncompressed<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((kind, reason)) = &self.ended {
            return Err(io::Error::new(*kind, reason.clone()));
        }
        self.decoder.read(buffer).map_err(|error| {
            if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            let compression = self.kind;
            let (kind, reason) = if error.kind() == io::ErrorKind::UnexpectedEof {
                let reason = format!("it is compressed with {compression}, and its end is missing");
                (error.kind(), reason)
            } else {
                let damaged = format!("it is compressed with {compression} and damaged: {error}");
                (io::ErrorKind::InvalidData, damaged)
            };
            self.ended = Some((kind, reason.clone()));
            io::Error::new(kind, reason)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    /// Returns one byte at a time, as a slow pipe does.
    struct Slow(Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let end = buffer.len().min(1);
            self.0.read(&mut buffer[..end])
        }
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        uncompressed(Slow(Cursor::new(bytes.to_vec())))?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(text).expect("memory");
        writer.finish().expect("memory")
    }

    #[test]
    fn compressed_bytes_are_read_whatever_arrives_first() {
        let text = b"plain text, several times: plain text, plain text".as_slice();
        let zstd = zstd::encode_all(text, 1).expect("memory");
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9], zstd.as_slice()].concat();
        let twice = [gzip(text), gzip(text)].concat();
        for (bytes, plain) in [
            (text, text),
            (&zstd, text),
            (&skippable, text),
            (&gzip(text), text),
            (&twice, &[text, text].concat()),
            (b"", b""),
            (b"{", b"{"),
        ] {
            assert_eq!(read(bytes).expect("readable"), plain);
        }
    }

    #[test]
    fn damage_and_missing_ends_are_told_apart_and_other_kinds_are_named() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let zstd = zstd::encode_all(text.as_slice(), 1).expect("memory");
        // Damage in the header of a zstd block; anywhere in gzip, which has a checksum.
        for (compressed, at) in [(gzip(&text), 1000), (zstd, 6)] {
            let cut = &compressed[..compressed.len() / 2];
            let error = read(cut).map(|plain| plain.len()).expect_err("cut");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
            let mut damaged = compressed.clone();
            damaged[at..at + 40].fill(0xff);
            let error = read(&damaged).map(|plain| plain.len()).expect_err("damaged");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
            assert!(error.to_string().contains("damaged"), "{error}");
        }
        let error = read(b"PK\x03\x04....").expect_err("zip");
        assert!(error.to_string().contains("zip archive"), "{error}");
    }
}
