//! The kubectl plugin: parse and call.

use std::process::ExitCode;

use abb_operator::{cli, config::Plugin};
use clap::{Parser, error::ErrorKind};

/// Bad usage or input (contract, "Exit codes").
const BAD_USAGE: u8 = 3;

fn main() -> ExitCode {
    let plugin = match Plugin::try_parse() {
        Ok(plugin) => plugin,
        Err(error) => {
            // Nothing can be done about a closed standard error.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(BAD_USAGE),
            };
        }
    };
    abb_operator::install_crypto();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(cli::run_plugin(plugin)),
        Err(error) => {
            eprintln!("error: failed to start: {error}");
            ExitCode::FAILURE
        }
    }
}
