//! The subcommands, a file or a folder for each: from the checked flags to the exit code.

#[cfg(test)]
mod bounded;
pub mod check;
pub mod clusters;
pub mod count;
pub mod defects;
pub mod doctor;
pub mod export;
pub mod internal_run;
pub mod minimize;
pub mod nemeses;
pub mod pd_endpoints;
pub mod report;
pub mod serve;
pub mod target_check;
pub mod test;
pub mod ycsb;
