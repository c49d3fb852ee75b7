//! A fast reader for plain lines, which nearly all lines are; it builds no values.
//!
//! In: the bytes of a line. Out: the positions of its parts, if it is a *plain* line. A plain line
//! is a client's get, put, delete or CAS, with its fields and no others in the order in which we
//! write them. It has no blanks, and its keys and values are strings without escapes. Any other
//! line, well-formed or not, gives `None` and is read by `serde_json` ([`super::line`]). So this
//! file never refuses anything, and a line that it accepts has the meaning that `serde_json` finds
//! in it. A property test checks that.

use crate::borrowed::{AnswerRef, OperationRef};

/// The position of a string in a batch of lines, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

/// A value that may be `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OptionalSpan(Span);

/// An event's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// An event's `f`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum F {
    Get,
    Put,
    Delete,
    Cas,
}

/// A plain line. A field that its `f` does not have is without meaning.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlainLine {
    pub(super) index: u64,
    pub(super) time: u64,
    pub(super) client: u64,
    pub(super) kind: Kind,
    pub(super) f: F,
    pub(super) swapped: bool,
    pub(super) key: Span,
    /// A get's answer, a put's value, or a CAS's expected value.
    pub(super) value: OptionalSpan,
    /// A CAS's new value.
    pub(super) new: OptionalSpan,
    /// A CAS's previous value.
    pub(super) previous: OptionalSpan,
}

impl Span {
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..][..self.length as usize]
    }
}

impl OptionalSpan {
    const NULL: Self = Self(Span { start: u32::MAX, length: 0 });

    pub(super) fn of(self, bytes: &[u8]) -> Option<&[u8]> {
        (self != Self::NULL).then(|| self.0.of(bytes))
    }
}

impl PlainLine {
    /// Reads the line that begins at `start`, and returns the beginning of the next one too; `None`
    /// if it is no plain line.
    pub(super) fn read(bytes: &[u8], start: usize) -> Option<(Self, usize)> {
        let mut scan = Scan { bytes, at: start };
        scan.literal(b"{\"index\":")?;
        let index = scan.number()?;
        scan.literal(b",\"time\":")?;
        let time = scan.number()?;
        scan.literal(b",\"process\":")?;
        let client = scan.number()?;
        scan.literal(b",\"type\":\"")?;
        let kind = scan.one_of(&[
            (b"invoke\",\"f\":\"", Kind::Invoke),
            (b"ok\",\"f\":\"", Kind::Ok),
            (b"info\",\"f\":\"", Kind::Info),
            (b"fail\",\"f\":\"", Kind::Fail),
        ])?;
        let f = scan.one_of(&[
            (b"get\",\"key\":\"", F::Get),
            (b"put\",\"key\":\"", F::Put),
            (b"cas\",\"key\":\"", F::Cas),
            (b"delete\",\"key\":\"", F::Delete),
        ])?;
        let key = scan.string()?;
        scan.literal(b",\"value\":")?;
        let mut line = Self {
            index,
            time,
            client,
            kind,
            f,
            swapped: false,
            key,
            value: OptionalSpan::NULL,
            new: OptionalSpan::NULL,
            previous: OptionalSpan::NULL,
        };
        match (f, kind) {
            (F::Get, Kind::Ok) => line.value = scan.optional()?,
            (F::Get | F::Delete, _) => scan.literal(b"null")?,
            (F::Put, _) => {
                scan.literal(b"\"")?;
                line.value = OptionalSpan(scan.string()?);
            }
            (F::Cas, _) => {
                scan.literal(b"{\"expected\":")?;
                line.value = scan.optional()?;
                scan.literal(b",\"new\":\"")?;
                line.new = OptionalSpan(scan.string()?);
                if kind == Kind::Ok {
                    scan.literal(b",\"swapped\":")?;
                    line.swapped = scan.one_of(&[(b"true", true), (b"false", false)])?;
                    scan.literal(b",\"previous\":")?;
                    line.previous = scan.optional()?;
                }
                scan.literal(b"}")?;
            }
        }
        scan.literal(b"}")?;
        if scan.at < bytes.len() {
            scan.literal(b"\n")?;
        }
        Some((line, scan.at))
    }

    /// The operation that the line names; `None` if it lacks the written value, as an answer may.
    pub(super) fn operation<'a>(&self, bytes: &'a [u8]) -> Option<OperationRef<'a>> {
        let key = self.key.of(bytes);
        Some(match self.f {
            F::Get => OperationRef::Get { key },
            F::Put => OperationRef::Put { key, value: self.value.of(bytes)? },
            F::Delete => OperationRef::Delete { key },
            F::Cas => {
                OperationRef::Cas { key, expected: self.value.of(bytes), new: self.new.of(bytes)? }
            }
        })
    }

    /// Returns true if this completion is about the open operation. An answer to a CAS repeats its
    /// key only.
    pub(super) fn names(&self, open: OperationRef<'_>, bytes: &[u8]) -> bool {
        match open {
            OperationRef::Cas { key, .. } if self.kind == Kind::Ok => {
                self.f == F::Cas && self.key.of(bytes) == key
            }
            _ => self.operation(bytes) == Some(open),
        }
    }

    /// The answer in this line, whose kind is ok.
    pub(super) fn answer<'a>(&self, bytes: &'a [u8]) -> AnswerRef<'a> {
        match self.f {
            F::Get => AnswerRef::Got(self.value.of(bytes)),
            F::Put | F::Delete => AnswerRef::Done,
            F::Cas => AnswerRef::Cas { swapped: self.swapped, previous: self.previous.of(bytes) },
        }
    }

    /// The operation in words, for a refusal.
    pub(super) fn described(&self, bytes: &[u8]) -> String {
        let f = match self.f {
            F::Get => "get",
            F::Put => "put",
            F::Delete => "delete",
            F::Cas => "cas",
        };
        format!("{f} of \"{}\"", String::from_utf8_lossy(self.key.of(bytes)))
    }
}

/// Walks over a line. `None` from any step means that the line is not plain.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    #[inline]
    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(literal).then(|| self.at += literal.len())
    }

    #[inline]
    fn one_of<T: Copy>(&mut self, choices: &[(&[u8], T)]) -> Option<T> {
        choices
            .iter()
            .find(|(literal, _)| self.literal(literal).is_some())
            .map(|(_, choice)| *choice)
    }

    /// A number as JSON writes it, without a sign, a fraction or an exponent.
    #[inline]
    fn number(&mut self) -> Option<u64> {
        const DIGITS_MAX: usize = 19; // 20 digits might not fit
        let rest = self.bytes.get(self.at..)?;
        let mut number = 0;
        let mut digits = 0;
        while let Some(digit) = rest.get(digits).map(|byte| byte.wrapping_sub(b'0'))
            && digit < 10
            && digits < DIGITS_MAX
        {
            number = number * 10 + u64::from(digit);
            digits += 1;
        }
        let leading_zero = digits > 1 && rest[0] == b'0';
        let ends = rest.get(digits) == Some(&b',');
        (digits > 0 && !leading_zero && ends).then(|| {
            self.at += digits;
            number
        })
    }

    /// Reads a string, from behind its opening quote to behind its closing one; plain if it has no
    /// escapes.
    #[inline]
    fn string(&mut self) -> Option<Span> {
        let start = self.at;
        let (end, is_ascii) = string_end(self.bytes, start)?;
        if !is_ascii {
            std::str::from_utf8(&self.bytes[start..end]).ok()?;
        }
        self.at = end + 1;
        let length = u32::try_from(end - start).ok()?;
        Some(Span { start: u32::try_from(start).ok()?, length })
    }

    #[inline]
    fn optional(&mut self) -> Option<OptionalSpan> {
        if self.literal(b"\"").is_some() {
            return self.string().map(OptionalSpan);
        }
        self.literal(b"null").map(|()| OptionalSpan::NULL)
    }
}

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// The end of the string that begins here, and true if the string is ASCII; `None` if an escape or
/// a control character comes first. Reads eight bytes at a time: the lowest byte found is the right
/// one, those above it may be wrong.
#[inline]
fn string_end(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let mut at = start;
    let mut seen = 0;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let is = |byte: u8| {
            let zero_there = word ^ (ONES * u64::from(byte));
            zero_there.wrapping_sub(ONES) & !zero_there & HIGH
        };
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let stops = is(b'"') | is(b'\\') | control;
        if stops != 0 {
            let offset = stops.trailing_zeros() / 8;
            seen |= word & !(u64::MAX << (8 * offset));
            at += offset as usize;
            return (bytes[at] == b'"').then_some((at, seen & HIGH == 0));
        }
        seen |= word;
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return Some((at, seen & HIGH == 0)),
            b'\\' | 0..0x20 => return None,
            _ => seen |= u64::from(byte),
        }
        at += 1;
    }
    None
}
