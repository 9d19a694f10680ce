//! The kubectl plugin: parse and call.

use std::process::ExitCode;

fn main() -> ExitCode {
    abb_operator::cli::start(abb_operator::cli::run_plugin)
}
