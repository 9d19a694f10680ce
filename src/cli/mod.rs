//! The commands. Each takes its arguments as typed and says what went wrong in one line: what, where, remedy.

mod apply;
mod call;
mod completion;
mod crd;
mod demo;
mod doctor;
mod manifests;
mod nas;
mod operate;
mod plan;
mod plugin;
mod progress;
mod ready;
mod record;
mod screen;
mod simulate;

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

use crate::config::{Cli, Command, Plugin};

/// Bad usage or input (contract, "Exit codes").
const BAD_USAGE: u8 = 3;
/// A plan has something that is due (contract, "Exit codes").
const IS_DUE: u8 = 2;

/// Why a command failed, for people.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    text: String,
    exit_code: u8,
}

impl Failure {
    fn new(what: impl Into<String>) -> Self {
        Self {
            text: what.into(),
            exit_code: 1,
        }
    }

    /// The arguments or the files given are wrong.
    fn usage(what: impl Into<String>) -> Self {
        Self {
            text: what.into(),
            exit_code: BAD_USAGE,
        }
    }

    /// All that is to be said was printed.
    fn said(exit_code: u8) -> Self {
        Self {
            text: String::new(),
            exit_code,
        }
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
        Self::new(text)
    }
}

/// A whole program: reads its arguments, runs what they say, and ends with the exit code of the contract.
#[must_use]
pub fn start<P: Parser, F: Future<Output = ExitCode>>(run: impl FnOnce(P) -> F) -> ExitCode {
    if completion::answered::<P>() {
        return ExitCode::SUCCESS;
    }
    let arguments = match P::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be done about a closed standard error.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(BAD_USAGE),
            };
        }
    };
    crate::install_crypto();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => {
            eprintln!("error: failed to start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; exit codes as in the contract (0 done, 1 failed, 3 bad usage or input).
pub async fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run(args) => Box::pin(operate::run(args)).await,
        Command::Crd(args) => crd::run(&args),
        Command::Simulate(args) => simulate::run(args).await,
        Command::Demo(args) => Box::pin(demo::run(args)).await,
        Command::Ready(args) => ready::run(&args).await,
        Command::Record(args) => Box::pin(record::run(*args)).await,
        Command::Plan(args) => Box::pin(plan::run(*args)).await,
        Command::Apply(args) => Box::pin(apply::run(*args)).await,
        Command::Call(args) => Box::pin(call::run(*args)).await,
        Command::Completion { shell } => completion::script("abb-operator", shell.into()),
    };
    ended_with(done)
}

/// Runs a command of the kubectl plugin; exit codes as above.
pub async fn run_plugin(plugin: Plugin) -> ExitCode {
    ended_with(Box::pin(plugin::run(plugin)).await)
}

fn ended_with(done: Result<(), Failure>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.text.is_empty() {
                eprintln!("error: {failure}");
            }
            ExitCode::from(failure.exit_code)
        }
    }
}
