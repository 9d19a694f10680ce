//! The commands. Each takes its arguments as typed and says what went wrong in one line: what, where, remedy.

mod crd;
mod demo;
mod operate;
mod simulate;

use std::process::ExitCode;

use crate::config::{Cli, Command};

/// Why a command failed, for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    fn because(what: &str, error: &dyn std::error::Error) -> Self {
        let mut text = format!("{what}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Self(text)
    }
}

/// Runs a command; exit codes as in the contract (0 done, 1 failed; bad usage is 3 and clap's to say).
pub async fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run(args) => Box::pin(operate::run(args)).await,
        Command::Crd(args) => crd::run(&args),
        Command::Simulate(args) => simulate::run(args).await,
        Command::Demo(args) => Box::pin(demo::run(args)).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(1)
        }
    }
}
