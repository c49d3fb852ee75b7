//! Reads the part of a verdict that the list of runs shows, without the rest.
//!
//! In: a `verdict.json`. Out: [`VerdictHead`]. The fields come before `checked`, which names every
//! key and may be megabytes long. Reading ends there, so that hundreds of runs are listed at once.

use checker::Validity;
use judge::traffic::Counts;
use run_directory::plain_file;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use std::{borrow::Cow, collections::BTreeMap, fmt, io::Read, path::Path};

/// The length of the part that is read, bytes. It suffices except for runs with thousands of
/// invalid keys.
const BEGINNING: u64 = 512 << 10;

/// The beginning of a verdict.
#[derive(Debug, Default)]
pub struct VerdictHead {
    /// The judgement.
    pub validity: Option<Validity>,
    /// The reasons why it is not valid.
    pub reasons: Vec<String>,
    /// True if the run tested too little.
    pub vacuous: bool,
    /// The system under test.
    pub target: String,
    /// Operations by kind and outcome.
    pub operations: BTreeMap<String, Counts>,
    /// The faults.
    pub faults: Vec<FaultHead>,
}

/// The part of a fault that the list shows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FaultHead {
    /// True if the fault was seen in force.
    pub confirmed: bool,
    /// The longest time without a success that overlaps the fault.
    pub longest_gap_ns: u64,
}

/// Reads the beginning of a verdict; `None` if there is none, or if its format is not ours.
pub fn read(path: &Path) -> Option<VerdictHead> {
    let (mut head, mut beginning) = (VerdictHead::default(), Vec::new());
    plain_file::open(path).ok()?.take(BEGINNING).read_to_end(&mut beginning).ok()?;
    // The parsing ends with an error on purpose; the fields before it are filled in.
    let _ = serde_json::Deserializer::from_slice(&beginning).deserialize_map(Filling(&mut head));
    head.validity.is_some().then_some(head)
}

struct Filling<'a>(&'a mut VerdictHead);

impl<'de> Visitor<'de> for Filling<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a verdict")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let head = self.0;
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            match &*name {
                "validity" => head.validity = Some(map.next_value()?),
                "reasons" => head.reasons = map.next_value()?,
                "vacuous" => head.vacuous = map.next_value()?,
                "target" => head.target = map.next_value()?,
                "operations" => head.operations = map.next_value()?,
                "faults" => head.faults = map.next_value()?,
                "checked" if head.validity.is_some() => {
                    return Err(A::Error::custom("enough was read"));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_head_is_not_read() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = r#"{"validity":"invalid","reasons":["key a: why"],"vacuous":false,"target":"t",
            "operations":{"get":{"ok":3,"fail":1,"info":0}},
            "faults":[{"fault":0,"name":"pause-one","confirmed":true,"longest-gap-ns":7}],
            "key-counts":{},"checked":{"this is": no JSON"#;
        std::fs::write(file.path(), text).expect("written");
        let head = read(file.path()).expect("a head");
        assert_eq!(head.validity, Some(Validity::Invalid));
        assert_eq!(head.operations["get"].ok, 3);
        assert_eq!((head.faults[0].confirmed, head.faults[0].longest_gap_ns), (true, 7));
        std::fs::write(file.path(), "[1]").expect("written");
        assert!(read(file.path()).is_none());
    }
}
