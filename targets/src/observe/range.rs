//! A region's bounds as readable text. Pure.

/// Longer bounds are cut.
const CHARACTERS_MAX: usize = 17;

/// `from .. to`; a missing bound is the beginning or the end of all keys.
pub fn range(start: &[u8], end: Option<&[u8]>) -> String {
    let start = if start.is_empty() { "(first)".to_owned() } else { bound(start) };
    let end = end.map_or_else(|| "(last)".to_owned(), bound);
    format!("{start} .. {end}")
}

/// The key with all bytes escaped but printable ASCII; cut between two bytes.
fn bound(key: &[u8]) -> String {
    let mut text = String::new();
    for byte in key {
        let escaped = byte.escape_ascii().to_string();
        if text.len() + escaped.len() > CHARACTERS_MAX {
            text.push('…');
            break;
        }
        text.push_str(&escaped);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_readable_and_short() {
        assert_eq!(range(b"", None), "(first) .. (last)");
        assert_eq!(range(b"usertable:a", Some(b"r\x00\xfb")), "usertable:a .. r\\x00\\xfb");
        let long = range(b"", Some(&[b'k'; 100]));
        assert_eq!(long.chars().count(), "(first) .. …".chars().count() + CHARACTERS_MAX);
        assert!(long.ends_with('…'));
        assert!(
            range("\u{202e}\x1b".as_bytes(), None).is_ascii(),
            "nothing reaches a terminal raw"
        );
    }
}
