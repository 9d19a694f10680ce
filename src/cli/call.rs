//! `call`: one call of any Active Backup method, for people. What changes something, and what nobody knows, needs their
//! consent; what is printed holds no secret.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::{Failure, nas::client};
use crate::{
    config::{CallArgs, MethodArgs},
    nas::{
        Answer, Client, Extra, Invocation, entry_address, explain, explain_answer,
        methods::{self, Effect, Method},
    },
    telemetry::{LogFormat, init_logs},
};

/// What a command that asks a NAS tells beside its output: that it waits. An API server's refusals are part of the output.
pub(super) const COMMAND_LOGS: &str = "warn,kube_client=off,abb_operator::nas=info";

/// Calls a method of the NAS that the flags name.
pub(super) async fn run(args: CallArgs) -> Result<(), Failure> {
    let CallArgs { method, nas } = args;
    if prints_only(&method) {
        return Ok(());
    }
    let call = invocation(&method)?;
    if method.dry_run {
        let address = nas
            .account
            .url
            .as_ref()
            .map_or("the NAS".to_owned(), entry_address);
        print(&dry_run(&call, &address));
        return Ok(());
    }
    consent(&call, method.yes)?;
    init_logs(LogFormat::Text, COMMAND_LOGS);
    let client = client(&nas)?;
    carry_out(&client, &call, nas.request_timeout).await
}

/// Prints what is known of the methods, where only that is asked for.
pub(super) fn prints_only(args: &MethodArgs) -> bool {
    if args.methods {
        print(&methods_table());
    }
    args.methods
}

/// Sends a call that was agreed to, prints what it gave, and ends the session.
pub(super) async fn carry_out(client: &Client, call: &Invocation, deadline: Duration) -> Result<(), Failure> {
    let done = if call.only_reads() {
        match client.ask(call).await {
            Ok(read) => Ok(read.value),
            Err(error) => Err(Failure::new(explain(&client.address(), &error))),
        }
    } else {
        match client.send(call, deadline).await {
            Ok((Answer::Applied, data)) => Ok(data),
            Ok((answer, _)) => Err(Failure::new(explain_answer(
                &client.address(),
                call.call(),
                answer,
            ))),
            Err(error) => Err(Failure::new(explain(&client.address(), &error))),
        }
    };
    client.logout().await;
    let data = done?;
    match &data {
        Some(data) => print(&format!("{data:#}\n")),
        None => eprintln!("the NAS answered success, without data"),
    }
    Ok(())
}

/// The call that the arguments name, checked against what is known of it.
pub(super) fn invocation(args: &MethodArgs) -> Result<Invocation, Failure> {
    let mut parameters = parameters(&args.params)?;
    let (api, method) = methods::resolve(args.method.as_deref().unwrap_or_default())
        .map_err(|error| Failure::usage(error.to_string()))?;
    let known = methods::find(&api, &method);
    if let Some(known) = known {
        as_text(known, &args.params, &mut parameters);
        check(known, &parameters)?;
    }
    Invocation::new(&api, &method, args.api_version, &parameters)
        .map_err(|error| Failure::usage(error.to_string()))
}

fn parameters(texts: &[String]) -> Result<Extra, Failure> {
    let mut parameters = Extra::new();
    for text in texts {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::usage(format!(
                "--param {:?} has no value: write NAME=VALUE, such as task_id=5",
                // It may hold a secret after a mistyped sign.
                text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                    .next()
                    .unwrap_or_default()
            )));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        if parameters.insert(name.to_owned(), value).is_some() {
            return Err(Failure::usage(format!("--param {name} is given twice")));
        }
    }
    Ok(parameters)
}

/// A parameter that is a text is taken as it was typed, also where it reads as a number.
fn as_text(known: &Method, texts: &[String], parameters: &mut Extra) {
    for (name, text) in texts.iter().filter_map(|text| text.split_once('=')) {
        let is_text =
            |parameter: &&methods::Parameter| parameter.name == name && parameter.kind == methods::Kind::Text;
        if known.parameters.iter().any(|parameter| is_text(&parameter))
            && parameters
                .get(name)
                .is_some_and(|value| value.is_number() || value.is_boolean())
        {
            parameters.insert(name.to_owned(), Value::String(text.to_owned()));
        }
    }
}

/// Says at once what the NAS would answer with error 120.
fn check(known: &Method, parameters: &Extra) -> Result<(), Failure> {
    let call = known.call;
    for parameter in known.parameters {
        match parameters.get(parameter.name) {
            None if parameter.required => {
                return Err(Failure::usage(format!(
                    "{call} needs the parameter {} ({}): add {}",
                    parameter.name,
                    parameter.kind.label(),
                    example(parameter)
                )));
            }
            Some(value) if !parameter.kind.admits(value) => {
                return Err(Failure::usage(format!(
                    "the parameter {} of {call} is of type {}, and this is {}: write {}",
                    parameter.name,
                    parameter.kind.label(),
                    methods::type_of(value),
                    example(parameter)
                )));
            }
            _ => {}
        }
    }
    for name in parameters.keys() {
        if !known.parameters.iter().any(|parameter| parameter.name == name) {
            eprintln!("warning: nobody has published a parameter {name:?} of {call}; it is sent as it is");
        }
    }
    Ok(())
}

fn example(parameter: &methods::Parameter) -> String {
    use methods::Kind;
    let value = match parameter.kind {
        Kind::Boolean => "true",
        Kind::Integer => "5",
        Kind::Text | Kind::Any => "TEXT",
        Kind::Integers => "[5]",
        Kind::Texts => "[\"TEXT\"]",
        Kind::Objects => "[{}]",
        Kind::Object => "{}",
    };
    format!("--param '{}={value}'", parameter.name)
}

/// Refuses what changes something or is not known, unless a person has agreed.
pub(super) fn consent(call: &Invocation, agreed: bool) -> Result<(), Failure> {
    let Some(known) = call.method() else {
        return if agreed {
            Ok(())
        } else {
            Err(Failure::usage(format!(
                "it is not known what {} does at version {}: it may change or destroy something; add --yes to send it all \
                 the same",
                call.call(),
                call.version()
            )))
        };
    };
    if agreed || !known.needs_consent() {
        return Ok(());
    }
    let does = match known.effect {
        Effect::Reads => "is not known well enough",
        Effect::Starts => "starts work on the NAS",
        Effect::Stops => "ends work on the NAS",
        Effect::Changes => "changes the NAS",
        Effect::Destroys => "DESTROYS BACKUPS, and nothing brings them back",
    };
    Err(Failure::usage(format!(
        "{} {does}. Unknown: {}. Add --yes to send it, or --dry-run to see it",
        call.call(),
        known.unknown
    )))
}

/// The request as it would be sent, without credentials.
pub(super) fn dry_run(call: &Invocation, address: &str) -> String {
    format!(
        "POST {address}\nContent-Type: application/x-www-form-urlencoded\n\n{}",
        call.shown()
    )
}

fn methods_table() -> String {
    let mut text = String::new();
    for method in methods::all() {
        let parameters: Vec<String> = method
            .parameters
            .iter()
            .map(|parameter| {
                let mark = if parameter.required { "!" } else { "" };
                format!("{}{mark}", parameter.name)
            })
            .collect();
        let _ = writeln!(
            text,
            "{} {}  {} ({}){}\n    parameters: {}",
            method.call.api,
            method.call.method,
            method.effect.label(),
            method.confidence.label(),
            if method.needs_consent() {
                ", needs --yes"
            } else {
                ""
            },
            if parameters.is_empty() {
                "none".to_owned()
            } else {
                parameters.join(" ")
            },
        );
        if !method.unknown.is_empty() {
            let _ = writeln!(text, "    unknown: {}", method.unknown);
        }
    }
    text.push_str("A parameter marked ! is required.\n");
    text
}

pub(super) fn print(text: &str) {
    // A reader that has seen enough (head, less) is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(method: &str, params: &[&str]) -> MethodArgs {
        MethodArgs {
            method: Some(method.to_owned()),
            params: params.iter().map(|&text| text.to_owned()).collect(),
            api_version: None,
            dry_run: false,
            yes: false,
            methods: false,
        }
    }

    fn refusal(method: &str, params: &[&str]) -> String {
        let failure = match invocation(&args(method, params)) {
            Ok(call) => consent(&call, false).unwrap_err(),
            Err(failure) => failure,
        };
        assert_eq!(failure.exit_code, super::super::BAD_USAGE);
        failure.to_string()
    }

    #[test]
    fn what_is_wrong_is_said_before_anything_is_sent() {
        for (method, params, part) in [
            (
                "backup",
                &[][..],
                "needs the parameter task_ids (list of integers): add --param 'task_ids=[5]'",
            ),
            (
                "backup",
                &["task_ids=5"],
                "is of type list of integers, and this is an integer",
            ),
            ("list", &["load_result"], "has no value: write NAME=VALUE"),
            ("list", &["limit=1", "limit=2"], "is given twice"),
            ("list", &["version=2"], "belongs to the session"),
            ("remove", &["task_ids=[1]"], "DESTROYS BACKUPS"),
            ("cancel_waiting_backup", &[], "may clear the whole queue"),
            (
                "New.thing",
                &[],
                "New thing does at version 1: it may change or destroy",
            ),
        ] {
            let text = refusal(method, params);
            assert!(text.contains(part), "{method}: {text}");
        }
    }

    #[test]
    fn a_dry_run_shows_the_request_and_no_secret() {
        let call = invocation(&args(
            "Device.set_credential",
            &["device_ids=[1]", "login_password=canary", "note=a b"],
        ))
        .unwrap();
        let text = dry_run(&call, "https://nas:5001/entry");
        let (head, form) = text.split_once("\n\n").unwrap();
        assert!(head.starts_with("POST https://nas:5001/entry\n"), "{head}");
        let part = "method=set_credential\ndevice_ids=[1]\nlogin_password=REDACTED\nnote=\"a b\"\n";
        assert!(form.contains(part), "{form}");
    }
}
