//! The command line of abb-operator: parse and call.

use std::process::ExitCode;

fn main() -> ExitCode {
    abb_operator::cli::start(abb_operator::cli::run)
}
