//! A region's contents as bytes: a leader sends them to a peer that needs entries no longer in the
//! log.
//!
//! Format: a [`SnapshotRecord`], then its CRC-32 in four big-endian bytes. A mismatch is refused
//! before Raft sees it. Expired keys are sent too: readers handle expiry.

use super::{
    command::{Mutation, SnapshotRecord},
    data::{Record, RegionData},
};
use prost::Message as _;
use proto::metapb::Region;

/// The reason that a snapshot was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SnapshotError {
    /// The checksum is wrong or missing.
    #[error("the snapshot's checksum does not match its data")]
    Checksum,
    /// The checksum is right, but the contents cannot be decoded.
    #[error("the snapshot's contents are unreadable")]
    Unreadable,
}

/// Encodes a region.
pub fn encode(region: &Region, data: &RegionData) -> Vec<u8> {
    let keys = data
        .iter()
        .map(|(key, record)| Mutation {
            key: key.clone(),
            value: Some(record.value.clone()),
            expires_unix_s: record.expires_unix_s,
        })
        .collect();
    let mut bytes = SnapshotRecord { region: Some(region.clone()), keys }.encode_to_vec();
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

/// Decodes a region.
pub fn decode(bytes: &[u8]) -> Result<(Region, RegionData), SnapshotError> {
    let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(SnapshotError::Checksum)?;
    if crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
        return Err(SnapshotError::Checksum);
    }
    let record = SnapshotRecord::decode(body).map_err(|_| SnapshotError::Unreadable)?;
    let region = record.region.ok_or(SnapshotError::Unreadable)?;
    let mut data = RegionData::default();
    for Mutation { key, value, expires_unix_s } in record.keys {
        let value = value.ok_or(SnapshotError::Unreadable)?;
        data.put(key, Record { value, expires_unix_s });
    }
    Ok((region, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_comes_back_whole_and_any_flipped_bit_is_noticed() {
        let region = Region { id: 7, end_key: b"z".to_vec(), ..Region::default() };
        let mut data = RegionData::default();
        data.put(b"k".to_vec(), Record { value: Vec::new(), expires_unix_s: 9 });
        let bytes = encode(&region, &data);
        assert_eq!(decode(&bytes), Ok((region, data)));
        for position in 0..bytes.len() * 8 {
            let mut torn = bytes.clone();
            torn[position / 8] ^= 1 << (position % 8);
            assert_eq!(decode(&torn), Err(SnapshotError::Checksum), "bit {position}");
        }
    }
}
