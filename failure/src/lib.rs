//! The endings of the program: each kind has its own exit code, and every failure is one sentence.
//!
//! In: an error from anywhere. Out: the code for the shell and the sentence for stderr. The table
//! in `--help` is made from this list, so that it cannot disagree.

pub mod wall_clock;

use std::fmt;

/// Every way the program can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every history judged was valid, and the run tested something.
    Valid,
    /// A promise was broken.
    Invalid,
    /// The result could not be decided: a budget was exceeded, or the run tested nothing.
    Unknown,
    /// No answer was wrong, but after the last healing a simulated cluster did not serve again.
    Stuck,
    /// The command line is wrong.
    Usage,
    /// A history is malformed: it is refused, not judged.
    Malformed,
    /// A given file cannot be read.
    NoInput,
    /// The tester itself failed.
    Software,
    /// The target or a disk failed.
    TargetOrDisk,
    /// Interrupted by a second Ctrl-C or SIGTERM, or by the first before clients and faults began:
    /// nothing is judged.
    Interrupted,
}

impl Exit {
    /// Every ending, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Valid,
        Self::Invalid,
        Self::Unknown,
        Self::Stuck,
        Self::Usage,
        Self::Malformed,
        Self::NoInput,
        Self::Software,
        Self::TargetOrDisk,
        Self::Interrupted,
    ];

    /// The process's exit code; from 64 on those of `sysexits.h`.
    pub fn code(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Unknown => 2,
            Self::Stuck => 3,
            Self::Usage => 64,
            Self::Malformed => 65,
            Self::NoInput => 66,
            Self::Software => 70,
            Self::TargetOrDisk => 74,
            Self::Interrupted => 130,
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid: a promise was broken",
            Self::Unknown => "unknown, or vacuous: the run tested too little to say",
            Self::Stuck => "stuck: no answer was wrong, but a simulated cluster did not recover",
            Self::Usage => "wrong usage",
            Self::Malformed => "a malformed history, plan or profile: refused",
            Self::NoInput => "a named file cannot be read",
            Self::Software => "a failure of the tester itself",
            Self::TargetOrDisk => "trouble with the target or a disk",
            Self::Interrupted => {
                "interrupted twice, or once before anything could be judged: faults healed"
            }
        }
    }

    /// The table of codes for `--help`.
    pub fn table() -> String {
        let rows = Self::ALL.iter().map(|exit| format!("{:5}  {}", exit.code(), exit.meaning()));
        format!("Exit codes:\n{}", rows.collect::<Vec<_>>().join("\n"))
    }
}

/// A failure that ends the program: its kind, and a sentence that says what to do.
#[derive(Debug)]
pub struct Failure {
    /// The ending of the program.
    pub exit: Exit,
    /// The whole sentence.
    pub sentence: String,
    /// True if the sentence has several lines, as from the command line's parser; otherwise it is
    /// printed as one line, even if it contains line breaks.
    pub has_lines: bool,
}

impl Failure {
    /// A failure of a kind, with its sentence.
    pub fn new(exit: Exit, sentence: impl fmt::Display) -> Self {
        Self { exit, sentence: sentence.to_string(), has_lines: false }
    }

    /// A failure because the command line is wrong.
    pub fn usage(sentence: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, sentence)
    }

    /// A failure of the target or a disk.
    pub fn target_or_disk(sentence: impl fmt::Display) -> Self {
        Self::new(Exit::TargetOrDisk, sentence)
    }

    /// A failure of the tester itself.
    pub fn software(sentence: impl fmt::Display) -> Self {
        Self::new(Exit::Software, sentence)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn every_end_has_its_own_code() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}
