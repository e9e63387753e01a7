//! The binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    pinpoint_import_role_controller::cli::main()
}
