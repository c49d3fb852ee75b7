//! The ways in which a leader ensures that it still leads before it answers a read.

/// A way to ensure leadership for reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReadMode {
    /// A majority confirms the leader for every round of reads (`ReadIndex`).
    #[default]
    ReadIndex,
    /// A majority confirms the leader once, and for the length of a lease no other can be elected.
    Lease,
}

impl ReadMode {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadIndex => "read-index",
            Self::Lease => "lease",
        }
    }

    /// Finds the mode of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ReadIndex, Self::Lease].into_iter().find(|mode| mode.name() == name)
    }
}
