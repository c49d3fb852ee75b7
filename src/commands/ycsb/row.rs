//! Rows and keys in go-ycsb's format in TiKV, so that either program reads the other's data.
//!
//! A key is `<table>:<prefix><number>`. The number is the record's own (insertorder=ordered) or its
//! 64-bit FNV-1a hash without sign (hashed), padded with zeros. A row is a sequence of columns,
//! each `08 <id> 02 <length> <bytes>`, id and length as zigzag varints; a row without columns is
//! one zero byte. Columns are `field0`, `field1`, … with their number as id. Pure.

use std::collections::BTreeMap;

/// The tag of an integer.
const VARINT: u8 = 8;
/// The tag of bytes with their length in front.
const COMPACT_BYTES: u8 = 2;

/// A row: column number to value.
pub type Row = BTreeMap<u32, Vec<u8>>;

/// 64-bit FNV-1a.
pub fn fnv64(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// Returns the hash of a number, as a signed number without its sign.
pub fn hash(number: u64) -> u64 {
    fnv64(&number.to_be_bytes()).cast_signed().unsigned_abs()
}

/// Returns the value that go-ycsb writes with dataintegrity=true: it can be computed again from key
/// and column.
pub fn deterministic_value(key_name: &str, column: u32, length: usize) -> Vec<u8> {
    let mut value = format!("{key_name}:field{column}").into_bytes();
    while value.len() < length {
        value.push(b':');
        let hash = fnv64(&value);
        value.extend_from_slice(hash.to_string().as_bytes());
    }
    value.truncate(length);
    value
}

/// Encodes a row.
pub fn encode(row: &Row) -> Vec<u8> {
    if row.is_empty() {
        return vec![0];
    }
    let mut bytes = Vec::with_capacity(row.values().map(|value| value.len() + 8).sum());
    for (column, value) in row {
        bytes.push(VARINT);
        put_varint(&mut bytes, u64::from(*column));
        bytes.push(COMPACT_BYTES);
        put_varint(&mut bytes, value.len() as u64);
        bytes.extend_from_slice(value);
    }
    bytes
}

/// Decodes a row; the error says what is wrong with the bytes.
pub fn decode(mut bytes: &[u8]) -> Result<Row, String> {
    let mut row = Row::new();
    if bytes == [0] {
        return Ok(row);
    }
    while !bytes.is_empty() {
        let column = marked(&mut bytes, VARINT)?;
        let length = marked(&mut bytes, COMPACT_BYTES)?;
        let column = u32::try_from(column).map_err(|_| format!("no column is number {column}"))?;
        let length = usize::try_from(length).ok().filter(|length| *length <= bytes.len());
        let Some(length) = length else { return Err("a value is cut off".into()) };
        let (value, rest) = bytes.split_at(length);
        row.insert(column, value.to_vec());
        bytes = rest;
    }
    Ok(row)
}

fn put_varint(bytes: &mut Vec<u8>, value: u64) {
    // Zigzag of a non-negative number.
    let mut rest = value << 1;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn marked(bytes: &mut &[u8], mark: u8) -> Result<u64, String> {
    let Some((&first, mut rest)) = bytes.split_first() else { return Err("it ends early".into()) };
    if first != mark {
        return Err(format!("{first} stands where {mark} must: this is no row of go-ycsb"));
    }
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let Some((&byte, after)) = rest.split_first() else { return Err("it ends early".into()) };
        rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            *bytes = rest;
            return if value & 1 == 0 {
                Ok(value >> 1)
            } else {
                Err("a number is negative".into())
            };
        }
    }
    Err("a number is too long".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_go_ycsbs_bytes() {
        let row = Row::from([(0, b"ab".to_vec()), (1, vec![b'x'; 100])]);
        let mut expected = vec![8, 0, 2, 4, b'a', b'b', 8, 2, 2, 0xc8, 0x01];
        expected.extend_from_slice(&[b'x'; 100]);
        assert_eq!(encode(&row), expected);
        assert_eq!(decode(&expected), Ok(row));
        assert_eq!(encode(&Row::new()), [0]);
        assert_eq!(decode(&[0]), Ok(Row::new()));
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for bytes in [&b"hello"[..], &[8], &[8, 0, 2], &[8, 0, 2, 200, 1, 1], &[8, 1, 2, 0]] {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn hashes_are_go_ycsbs() {
        let expected: [(u64, u64); 5] = [
            (0, 6_284_781_860_667_377_211),
            (1, 6_284_782_960_179_005_422),
            (2, 6_284_784_059_690_633_633),
            (9_999, 6_318_276_283_390_946_029),
            (1_000_000, 2_740_105_236_383_194_386),
        ];
        for (number, hashed) in expected {
            assert_eq!(hash(number), hashed, "{number}");
        }
    }

    #[test]
    fn a_deterministic_value_is_go_ycsbs() {
        let value = deterministic_value("user6284781860667377211", 3, 100);
        assert_eq!(
            String::from_utf8(value).as_deref(),
            Ok(
                "user6284781860667377211:field3:8983794272464662513:11421574635005530411:16160898291369552389:1830796"
            )
        );
        assert_eq!(deterministic_value("user1", 0, 4), b"user");
    }
}
