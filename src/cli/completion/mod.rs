//! Completion: a shell, or kubectl, asks this program what may stand where the cursor is. One engine answers them all: clap's,
//! over the command line as it is declared, with names from the cluster, the kubeconfig and the table of methods.
//! Whatever goes wrong on the way to a name is silent: a person is typing.

mod names;

use std::ffi::OsString;

use clap::{Arg, Command, CommandFactory};
use clap_complete::{
    engine::{ArgValueCandidates, CompletionCandidate, complete},
    env::{Bash, CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Zsh},
};

use super::{Failure, call::print};
use crate::config::Shell;

/// Set by the scripts below when they ask; it names the shell.
const VARIABLE: &str = "ABB_COMPLETE";
/// Where the scripts say at which word the cursor is, as clap has it.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";
/// How kubectl's completions ask, as cobra has it.
const ASKED_BY_KUBECTL: &str = "__complete";
/// cobra's directives: no files beside these; and no blank after them.
const NO_FILES: u32 = 4;
const NO_BLANK: u32 = 2;

/// Answers a question about completion, where the process was started with one.
pub(super) fn answered<P: CommandFactory>() -> bool {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    let mut args: Vec<OsString> = args.collect();
    if args.first().is_some_and(|first| first == ASKED_BY_KUBECTL) {
        args[0] = program;
        print(&for_kubectl(P::command(), args));
        return true;
    }
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    // The scripts separate what was typed from their own words.
    let typed: Vec<OsString> = args
        .iter()
        .skip_while(|word| *word != "--")
        .skip(1)
        .cloned()
        .collect();
    let at = std::env::var(INDEX).ok().and_then(|index| index.parse().ok());
    let at = at.unwrap_or(typed.len().saturating_sub(1));
    let answered = CompleteEnv::with_factory(|| aware(P::command(), &typed, at))
        .var(VARIABLE)
        .try_complete(
            std::iter::once(program).chain(args),
            std::env::current_dir().ok().as_deref(),
        );
    answered.unwrap_or(true)
}

/// The script that makes a shell, or kubectl, ask `program`.
pub(super) fn script(program: &str, shell: Shell) -> Result<(), Failure> {
    let shell: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
        Shell::Elvish => &Elvish,
        Shell::Kubectl => {
            print(&format!("#!/bin/sh\nexec {program} {ASKED_BY_KUBECTL} \"$@\"\n"));
            return Ok(());
        }
    };
    let mut text = Vec::new();
    shell
        .write_registration(VARIABLE, program, program, program, &mut text)
        .map_err(|error| Failure::because("failed to write the script", &error))?;
    print(&String::from_utf8_lossy(&text));
    Ok(())
}

/// What kubectl passes on to the shell: a candidate a line, with its description, and a directive at the end.
fn for_kubectl(command: Command, mut words: Vec<OsString>) -> String {
    if words.len() == 1 {
        words.push(OsString::new());
    }
    let at = words.len() - 1;
    let mut command = aware(command, &words, at);
    let folder = std::env::current_dir().ok();
    let candidates = complete(&mut command, words, at, folder.as_deref()).unwrap_or_default();
    let mut directive = NO_FILES;
    let mut text = String::new();
    for candidate in candidates {
        let value = candidate.get_value().to_string_lossy();
        if value.ends_with(['/', '=']) {
            directive |= NO_BLANK;
        }
        text.push_str(&value);
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        if let Some(help) = help.lines().next() {
            text.push('\t');
            text.push_str(help);
        }
        text.push('\n');
    }
    format!("{text}:{directive}\n")
}

/// The command line, with what it takes to know the names at the cursor.
fn aware(command: Command, words: &[OsString], at: usize) -> Command {
    let current = words.get(at).map(|word| word.to_string_lossy().into_owned());
    let before: Vec<OsString> = words.iter().take(at).cloned().collect();
    let typed = names::Typed::read(command.clone(), before);
    let wants_flags = current.is_some_and(|word| word.starts_with('-'));
    let command = if wants_flags {
        command
    } else {
        command.disable_help_flag(true).disable_version_flag(true)
    };
    with_names(command, &typed, wants_flags)
}

fn with_names(command: Command, typed: &names::Typed, wants_flags: bool) -> Command {
    let command = command.mut_args(|arg| {
        // A name and a list of flags do not belong together: a flag is offered to who has begun one.
        let is_hidden = arg.is_hide_set() || !(wants_flags || arg.is_positional());
        named(arg, typed).hide(is_hidden)
    });
    command.mut_subcommands(|inner| with_names(inner, typed, wants_flags))
}

fn named(arg: Arg, typed: &names::Typed) -> Arg {
    let Some(kind) = names::Kind::of(arg.get_id().as_str()) else {
        return arg;
    };
    let typed = typed.clone();
    arg.add(ArgValueCandidates::new(move || {
        kind.names(&typed)
            .into_iter()
            .map(|(name, about)| CompletionCandidate::new(name).help(about.map(Into::into)))
            .collect()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Cli, Plugin};

    fn lines<P: CommandFactory>(words: &[&str]) -> Vec<String> {
        let words = std::iter::once("program").chain(words.iter().copied());
        let text = for_kubectl(P::command(), words.map(OsString::from).collect());
        text.lines().map(str::to_owned).collect()
    }

    fn values<P: CommandFactory>(words: &[&str]) -> Vec<String> {
        let lines = lines::<P>(words);
        assert!(lines.last().unwrap().starts_with(':'), "{lines:?}");
        let values = lines[..lines.len() - 1].iter();
        values
            .map(|line| line.split('\t').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn commands_flags_and_values_are_completed_and_described() {
        assert_eq!(
            lines::<Plugin>(&["can"]),
            [
                "cancel\tCancel the run in flight of each of these BackupTasks",
                ":4"
            ]
        );
        let all = values::<Plugin>(&[""]);
        assert!(
            all.contains(&"status".to_owned()) && !all.iter().any(|value| value.starts_with('-')),
            "{all:?}"
        );
        assert_eq!(values::<Plugin>(&["status", "-o", ""]), ["wide", "json", "yaml"]);
        assert_eq!(values::<Plugin>(&["status", "--output=j"]), ["--output=json"]);
        let flags = values::<Plugin>(&["backup", "--"]);
        for flag in ["--wait", "--namespace", "--help"] {
            assert!(flags.contains(&flag.to_owned()), "{flags:?}");
        }
        assert_eq!(values::<Plugin>(&["completion", "k"]), ["kubectl"]);
        assert_eq!(values::<Cli>(&["completion", ""]).len(), 5);
        assert_eq!(values::<Cli>(&["run", "--log-format", ""]), ["text", "json"]);
    }

    #[test]
    fn methods_are_those_that_call_takes() {
        for words in [&["call", "list_w"][..], &["call", "nas", "list_w"]] {
            let found = if words.len() == 2 {
                values::<Cli>(words)
            } else {
                values::<Plugin>(words)
            };
            assert_eq!(found, ["list_with_device"], "{words:?}");
        }
        for name in values::<Cli>(&["call", ""]) {
            let (api, method) = crate::nas::methods::resolve(&name).unwrap();
            assert!(crate::nas::methods::find(&api, &method).is_some(), "{name}");
        }
        let described = lines::<Cli>(&["call", "remove"]);
        assert!(described[0].starts_with("remove\tdestroys"), "{described:?}");
    }

    #[test]
    fn what_cannot_be_known_is_silent() {
        let nowhere = "/nonexistent/kubeconfig";
        for words in [
            &["--kubeconfig", nowhere, "-n", ""][..],
            &["--kubeconfig", nowhere, "--context", ""],
            &["backup", "laptop", "--timeout", ""],
        ] {
            assert_eq!(lines::<Plugin>(words), [":4"], "{words:?}");
        }
        // Where there is no name, flags are what may follow.
        let flags = values::<Plugin>(&["--kubeconfig", nowhere, "backup", ""]);
        assert!(flags.iter().all(|value| value.starts_with("--")), "{flags:?}");
        assert!(!lines::<Plugin>(&[]).is_empty());
    }

    #[test]
    fn each_script_asks_the_program_by_its_name() {
        for shell in [&Bash as &dyn EnvCompleter, &Zsh, &Fish, &Powershell, &Elvish] {
            let mut text = Vec::new();
            shell
                .write_registration(VARIABLE, "kubectl-abb", "kubectl-abb", "kubectl-abb", &mut text)
                .unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains(VARIABLE) && text.contains("kubectl-abb"), "{text}");
        }
    }
}
