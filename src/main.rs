//! The program `jepsen-tikv`. All of it is in the library beside this, so that fuzz targets reach its readers.

use std::process::ExitCode;

fn main() -> ExitCode {
    jepsen_tikv::main()
}
