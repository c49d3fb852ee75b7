//! How a leader makes sure that it still leads before it answers a read.

/// The way to be sure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReadMode {
    /// A majority confirms it for every round of reads (`ReadIndex`).
    #[default]
    ReadIndex,
    /// A majority confirms it once, and for the length of a lease nobody else can be elected.
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

    /// The way of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ReadIndex, Self::Lease].into_iter().find(|mode| mode.name() == name)
    }
}
