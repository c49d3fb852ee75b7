//! A file or a folder for each subcommand.

pub mod report;
pub mod simulate;
pub mod test;
