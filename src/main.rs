//! The `wamplet` command: arguments to a configuration, and then [`wamplet::native::run_with`].

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
