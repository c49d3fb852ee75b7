//! The flags of `serve`.

use clap::Args;
use failure::Exit;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// The default port.
const PORT: u16 = 8484;

/// The flags of `serve`.
#[derive(Debug, Args)]
#[command(after_long_help = Exit::table())]
pub struct ServeArgs {
    /// The folder that holds the runs
    #[arg(default_value = "runs")]
    pub runs_dir: PathBuf,
    /// The port; 0 picks one that is free
    #[arg(long, default_value_t = PORT)]
    pub port: u16,
    /// The address to listen on. Beyond this machine's own everybody can read every run
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub listen: IpAddr,
}

impl ServeArgs {
    /// Returns the address to listen on.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.listen, self.port)
    }
}
