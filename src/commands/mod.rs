//! A file or a folder for each subcommand.

pub mod simulate;
pub mod test;
