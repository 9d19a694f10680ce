//! The commands. Each takes its arguments as typed and says what went wrong in one line: what, where, remedy.

#[cfg(feature = "terminal")]
mod apply;
mod call;
#[cfg(feature = "terminal")]
mod completion;
mod crd;
#[cfg(feature = "terminal")]
mod demo;
#[cfg(feature = "terminal")]
mod doctor;
#[cfg(feature = "terminal")]
mod manifests;
mod nas;
mod operate;
#[cfg(feature = "terminal")]
mod plan;
#[cfg(feature = "terminal")]
mod plugin;
#[cfg(feature = "terminal")]
mod progress;
mod ready;
mod record;
#[cfg(feature = "terminal")]
mod screen;
mod simulate;

use std::process::ExitCode;

use clap::{Parser, error::ErrorKind};

#[cfg(feature = "terminal")]
use crate::config::Plugin;
use crate::config::{Cli, Command};

/// Bad usage or input (contract, "Exit codes").
const BAD_USAGE: u8 = 3;
#[cfg(feature = "terminal")]
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

    #[cfg(feature = "terminal")]
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
    #[cfg(feature = "terminal")]
    if completion::answered::<P>() {
        return ExitCode::SUCCESS;
    }
    let arguments = match P::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            #[cfg(not(feature = "terminal"))]
            if let Some(failure) = left_out(&error) {
                return ended_with(Err(failure));
            }
            // Nothing can be done about a closed standard error.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(BAD_USAGE),
            };
        }
    };
    crate::install_crypto();
    match runtime() {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => {
            eprintln!("error: failed to start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One thread: passes wait for sockets far longer than they compute, and an API server takes fewer writes than one core can ask
/// for. Work that is handed from thread to thread costs a tenth more of it and wakes cores that others need.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Commands that a build without the feature `terminal` lacks; the image's binary is one.
#[cfg(not(feature = "terminal"))]
const LEFT_OUT: [&str; 4] = ["apply", "completion", "demo", "plan"];

#[cfg(not(feature = "terminal"))]
const RELEASES: &str = "https://github.com/abb-operator/abb-operator/releases";

/// Where to get a command that this build leaves out, if that is what was asked for.
#[cfg(not(feature = "terminal"))]
fn left_out(error: &clap::Error) -> Option<Failure> {
    use clap::error::{ContextKind, ContextValue};
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    LEFT_OUT.contains(&name.as_str()).then(|| {
        Failure::usage(format!(
            "the image's abb-operator has no {name:?}: the one of {RELEASES} has it"
        ))
    })
}

/// Runs a command; exit codes as in the contract (0 done, 1 failed, 3 bad usage or input).
pub async fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run(args) => Box::pin(operate::run(args)).await,
        Command::Crd(args) => crd::run(&args),
        Command::Simulate(args) => simulate::run(args).await,
        #[cfg(feature = "terminal")]
        Command::Demo(args) => Box::pin(demo::run(args)).await,
        Command::Ready(args) => ready::run(&args).await,
        Command::Record(args) => Box::pin(record::run(*args)).await,
        #[cfg(feature = "terminal")]
        Command::Plan(args) => Box::pin(plan::run(*args)).await,
        #[cfg(feature = "terminal")]
        Command::Apply(args) => Box::pin(apply::run(*args)).await,
        Command::Call(args) => Box::pin(call::run(*args)).await,
        #[cfg(feature = "terminal")]
        Command::Completion { shell } => completion::script("abb-operator", shell.into()),
    };
    ended_with(done)
}

#[cfg(feature = "terminal")]
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
