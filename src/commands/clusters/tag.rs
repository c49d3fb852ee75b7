//! A cluster's tag: a name that is safe as a folder's name.

use failure::Failure;
use std::fmt;

/// Longest tag, bytes.
const LENGTH_MAX: usize = 64;

/// A checked tag: letters, digits, `-`, `_` and `.`, with neither `.` nor `-` first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// Returns the tag of that name, if the name is valid.
    pub fn checked(name: &str) -> Result<Self, Failure> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if begins_well && name.len() <= LENGTH_MAX && name.chars().all(plain) {
            return Ok(Self(name.to_owned()));
        }
        Err(Failure::usage(format!(
            "--tag {name:?} cannot be a folder's name: use up to {LENGTH_MAX} letters, digits, '-', '_' and '.', \
             beginning with a letter, a digit or '_'"
        )))
    }

    /// Returns a random tag for a cluster without one.
    pub fn drawn() -> Self {
        Self(format!("unnamed-{:08x}", rand::random::<u32>()))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_never_leaves_its_folder() {
        for bad in
            ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "-f", "a b", "ä", &"a".repeat(65)]
        {
            assert!(Tag::checked(bad).is_err(), "{bad:?}");
        }
        for good in ["walk", "v8.5.4", "_1", "A-b_c.d", Tag::drawn().name()] {
            assert_eq!(Tag::checked(good).expect(good).name(), good);
        }
    }
}
