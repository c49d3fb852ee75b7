//! The program `jepsen-tikv`. Its code is in the library beside this, so that fuzz targets can call
//! the parsers.

use std::process::ExitCode;

fn main() -> ExitCode {
    jepsen_tikv::main()
}
