//! `History + Model + Budget → Verdict`: linearizability, key count, counterexamples.
//!
//! Pure: no clock, no files, no randomness, no runtime. The same history gives the same verdict,
//! and the same bytes of `verdict.json`, on every machine. It does not know where a history came
//! from.
//!
//! How a binary calls it, with a history read once from a file (or any other source of events):
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file = concat!(
//! #     r#"{"format":"jepsen-tikv history","version":1}"#, "\n",
//! #     r#"{"index":0,"time":5,"process":3,"type":"invoke","f":"put","key":"a","value":"x"}"#, "\n");
//! let mut collector = checker::Collector::new();
//! for event in histories::jsonl::Reader::new(file.as_bytes())? {
//!     // An error, `TornTail` included, ends the reading: a malformed history is refused, never judged.
//!     collector.push(event?)?;
//! }
//! let verdict = checker::check(&collector.finish(), &checker::Options::default());
//! assert_eq!(verdict.validity, checker::Validity::Valid);
//! let verdict_json = serde_json::to_vec_pretty(&verdict)?;
//! # assert!(!verdict_json.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! Threads: it runs on rayon's current pool; to bound it, call it inside
//! `rayon::ThreadPool::install`.

mod call;
mod check;
mod collect;
mod counterexample;
mod engine;
mod faults;
mod findings;
mod history;
mod intern;
mod key_count;
mod near_linear;
mod options;
mod presence;
mod range;
mod settle;
mod verdict;

pub use check::{ReadAgain, check};
pub use collect::Collector;
pub use counterexample::{Counterexample, Explained};
pub use findings::{CallKind, Content, Finding, FindingKind, OlderState, Participant, Role};
pub use history::History;
pub use options::{Budget, Engine, Model, Options};
pub use verdict::{
    Contradiction, DecidedBy, KeyCount, KeyVerdict, Operations, Searched, Stretch, Validity,
    Verdict,
};
