//! The flags of `cluster`.

use super::shape::ShapeArgs;
use crate::{
    config::ClusterShape,
    exit::{Exit, Failure},
};
use clap::Args;
use std::path::PathBuf;

/// The flags of `cluster`.
#[derive(Debug, Args)]
#[command(after_help = Exit::table())]
pub struct ClusterArgs {
    /// The embedded cluster's shape
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Where run directories go
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
}

impl ClusterArgs {
    /// The checked shape.
    pub fn checked_shape(&self) -> Result<ClusterShape, Failure> {
        let shape = self.shape.shape();
        shape.check()?;
        Ok(shape)
    }
}
