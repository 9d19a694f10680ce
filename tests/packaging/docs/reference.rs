//! `docs/reference.md`, made from the definitions in `crds/`, the types, and the programs' own help.

use std::fmt::Write;

use abb_operator::{
    api::{
        self, BackupType, CaKind, ConditionType, GoDuration, IntentAction, JobAction, Mode, Origin,
        Readiness, Reason, ReceiptOutcome, RemovalWhen, ResultStatus, SourceType, State, StopReason,
        TriggerKind, WhenRunning,
    },
    config::{Cli, Plugin},
};
use clap::{Arg, Command, CommandFactory};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use schemars::JsonSchema;
use serde_json::Value;

const HEAD: &str = "\
<!-- Made from crds/, src/api and src/config: do not edit. UPDATE_DOCS=1 cargo test --test packaging docs -->

# Reference

Every field of both kinds, as the API server knows it: `kubectl explain backuptask.spec` shows the same. The operator never
writes `spec`, and nobody but the operator writes `status`.

A **duration** is written as `90s`, `5m` or `1h30m`: up to four numbers with the units `h`, `m`, `s` or `ms`, pattern
`{duration}`, at most {length} characters. A **time** is RFC 3339, such as `2026-12-01T08:00:00Z`; any offset is taken, UTC
is written. What a rule refuses, the API server refuses, with the message quoted; the rule is CEL.

- [BackupServer](#backupserver): [spec](#backupserver-spec), [status](#backupserver-status)
- [BackupTask](#backuptask): [spec](#backuptask-spec), [status](#backuptask-status)
- [Named values](#named-values), [annotations](#annotations-and-finalizer), [conditions](#conditions), [reasons](#reasons)
- [Commands](#commands)
";

/// The whole page.
pub fn page() -> String {
    let duration = serde_json::to_value(schemars::schema_for!(GoDuration)).unwrap();
    let mut page = HEAD
        .replace("{duration}", duration["pattern"].as_str().unwrap())
        .replace("{length}", &duration["maxLength"].to_string());
    for definition in api::definitions() {
        kind(&mut page, &definition);
    }
    named_values(&mut page);
    annotations(&mut page);
    conditions(&mut page);
    commands(&mut page);
    while page.contains("\n\n\n") {
        page = page.replace("\n\n\n", "\n\n");
    }
    page
}

fn kind(page: &mut String, definition: &CustomResourceDefinition) {
    let names = &definition.spec.names;
    let version = &definition.spec.versions[0];
    let root = version
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref())
        .unwrap();
    let _ = writeln!(
        page,
        "\n## {kind}\n\n{about}\n\n`{group}/{version}`, namespaced; `kubectl get {plural}`, short `{short}`, or `kubectl get {category}` for both kinds.\n",
        kind = names.kind,
        about = prose(root),
        group = definition.spec.group,
        version = version.name,
        plural = names.plural,
        short = names.short_names.as_ref().unwrap()[0],
        category = names.categories.as_ref().unwrap()[0],
    );
    let _ = writeln!(page, "| column | shows | with |\n|---|---|---|");
    for column in version.additional_printer_columns.iter().flatten() {
        let wide = if column.priority.unwrap_or(0) > 0 {
            "`-o wide`"
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "| {} | `{}` | {wide} |",
            column.name.to_uppercase(),
            column.json_path
        );
    }
    let part = |name: &str| &root.properties.as_ref().unwrap()[name];
    let spec = part("spec");
    let _ = writeln!(page, "\n### {} spec\n\n{}\n", names.kind, prose(spec));
    rules(page, spec);
    fields(page, &format!("{}.spec", names.kind), spec);
    let _ = writeln!(page, "\n### {} status\n\n{}\n", names.kind, prose(part("status")));
    let _ = writeln!(page, "| field | type | what |\n|---|---|---|");
    rows(page, "", part("status"));
}

/// One heading for each field of a spec.
fn fields(page: &mut String, path: &str, schema: &JSONSchemaProps) {
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let _ = writeln!(page, "\n#### {path}\n");
        let required = schema
            .required
            .as_ref()
            .is_some_and(|required| required.contains(name));
        let mut facts = vec![
            type_of(field),
            if required { "required" } else { "optional" }.to_owned(),
        ];
        if field.properties.is_none()
            && let Some(default) = &field.default
        {
            facts.push(format!("default `{}`", bare(&default.0)));
        }
        facts.extend(limits(field));
        if is_immutable(field) {
            facts.push("immutable".to_owned());
        }
        let _ = writeln!(page, "*{}*\n\n{}\n", facts.join("; "), prose(field));
        rules(page, field);
        fields(page, &path, field);
    }
}

fn is_immutable(field: &JSONSchemaProps) -> bool {
    let rules = field.x_kubernetes_validations.iter().flatten();
    rules.into_iter().any(|rule| rule.rule == "self == oldSelf")
}

fn rules(page: &mut String, schema: &JSONSchemaProps) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let message = rule.message.as_deref().unwrap_or_default();
        // What a duration is stands at the head of the page.
        if !message.starts_with("write a duration") {
            let _ = writeln!(page, "- “{message}”: rule `{}`", rule.rule);
        }
    }
}

/// One row for each field of a status.
fn rows(page: &mut String, path: &str, schema: &JSONSchemaProps) {
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}{name}");
        let kind = match section_of(field) {
            Some(named) => format!("[{}](#{})", named.name, named.name.to_lowercase()),
            None => type_of(field),
        };
        let _ = writeln!(page, "| `{path}` | {kind} | {} |", cell(&prose(field)));
        rows(page, &format!("{path}."), field);
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &field.items
            // Kubernetes documents its own conditions.
            && name != "conditions"
        {
            rows(page, &format!("{path}[]."), items);
        }
    }
}

fn is_duration(field: &JSONSchemaProps) -> bool {
    let pattern = field.pattern.as_ref();
    pattern.is_some_and(|pattern| pattern.contains("h|m|s|ms"))
}

fn type_of(field: &JSONSchemaProps) -> String {
    match (field.type_.as_deref().unwrap_or("any"), field.format.as_deref()) {
        ("string", _) if is_duration(field) => "duration".to_owned(),
        ("string", Some("date-time")) => "time".to_owned(),
        ("array", _) => match &field.items {
            Some(JSONSchemaPropsOrArray::Schema(items)) => format!("list of {}", type_of(items)),
            _ => "list".to_owned(),
        },
        (name, _) => name.to_owned(),
    }
}

fn limits(field: &JSONSchemaProps) -> Vec<String> {
    let mut limits = Vec::new();
    if let Some(values) = &field.enum_ {
        let values: Vec<_> = values
            .iter()
            .map(|value| format!("`{}`", bare(&value.0)))
            .collect();
        let section = section_of(field).map_or_else(String::new, |named| {
            format!(" ([meaning](#{}))", named.name.to_lowercase())
        });
        limits.push(format!("one of {}{section}", values.join(", ")));
    }
    limits.extend(field.minimum.map(|minimum| format!("at least {minimum}")));
    limits.extend(field.maximum.map(|maximum| format!("at most {maximum}")));
    if !is_duration(field) {
        limits.extend(match (field.min_length, field.max_length) {
            (None, None) => None,
            (low, Some(high)) => Some(format!("{} to {high} characters", low.unwrap_or(0))),
            (Some(low), None) => Some(format!("at least {low} characters")),
        });
        limits.extend(
            field
                .pattern
                .as_ref()
                .map(|pattern| format!("pattern `{pattern}`")),
        );
    }
    limits
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn bare(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn prose(schema: &JSONSchemaProps) -> String {
    let text = schema.description.as_deref().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Name, sentence and values of an enumeration, from its own type.
struct Named {
    name: &'static str,
    about: String,
    values: Vec<(String, String)>,
}

fn named<T: JsonSchema>(name: &'static str) -> Named {
    let schema = schemars::schema_for!(T).to_value();
    let text = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let values = schema["oneOf"]
        .as_array()
        .unwrap_or_else(|| panic!("{name} has no values: {schema:#}"));
    Named {
        name,
        about: text(&schema["description"]),
        values: values
            .iter()
            .map(|value| (text(&value["const"]), text(&value["description"])))
            .collect(),
    }
}

fn all_named() -> Vec<Named> {
    vec![
        named::<Mode>("Mode"),
        named::<CaKind>("CaKind"),
        named::<WhenRunning>("WhenRunning"),
        named::<RemovalWhen>("RemovalWhen"),
        named::<Readiness>("Readiness"),
        named::<State>("State"),
        named::<ReceiptOutcome>("ReceiptOutcome"),
        named::<ResultStatus>("ResultStatus"),
        named::<Origin>("Origin"),
        named::<TriggerKind>("TriggerKind"),
        named::<StopReason>("StopReason"),
        named::<IntentAction>("IntentAction"),
        named::<BackupType>("BackupType"),
        named::<SourceType>("SourceType"),
        named::<JobAction>("JobAction"),
    ]
}

/// The section of the enumeration whose values a field has.
fn section_of(field: &JSONSchemaProps) -> Option<Named> {
    let values: Vec<String> = field.enum_.iter().flatten().map(|value| bare(&value.0)).collect();
    let is_it = |named: &Named| named.values.iter().map(|(value, _)| value).eq(values.iter());
    all_named().into_iter().find(is_it)
}

fn named_values(page: &mut String) {
    page.push_str("\n## Named values\n");
    for Named { name, about, values } in all_named() {
        let _ = writeln!(page, "\n### {name}\n\n{about}\n\n| value | meaning |\n|---|---|");
        for (value, meaning) in values {
            let _ = writeln!(page, "| `{value}` | {meaning} |");
        }
    }
}

/// The annotations of `src/api/mod.rs`: names and comments as they stand there.
fn annotations(page: &mut String) {
    page.push_str("\n## Annotations and finalizer\n\n| name | what |\n|---|---|\n");
    let mut comment = String::new();
    for line in include_str!("../../../src/api/mod.rs").lines() {
        if let Some(text) = line.strip_prefix("/// ") {
            comment = format!("{comment} {text}");
            continue;
        }
        let is_name = line.starts_with("pub const ANNOTATION") || line.starts_with("pub const FINALIZER");
        if is_name && let Some(name) = line.split('"').nth(1) {
            let _ = writeln!(page, "| `{name}` | {} |", comment.trim());
        }
        comment.clear();
    }
}

fn conditions(page: &mut String) {
    page.push_str(
        "\n## Conditions\n\nEach condition carries its own `observedGeneration`; its `lastTransitionTime` moves only when its status flips.\n\n\
         | type | meaning |\n|---|---|\n",
    );
    for kind in ConditionType::ALL {
        let _ = writeln!(page, "| `{}` | {} |", kind.as_str(), kind.doc());
    }
    page.push_str(
        "\n## Reasons\n\nReasons of conditions and of Events. [Troubleshooting](troubleshooting.md) says for each what to do.\n\n\
         | reason | meaning |\n|---|---|\n",
    );
    for reason in Reason::ALL {
        let name = reason.as_str();
        let _ = writeln!(
            page,
            "| [`{name}`](troubleshooting.md#{}) | {} |",
            super::markdown::anchor(name),
            reason.doc()
        );
    }
}

fn commands(page: &mut String) {
    page.push_str(
        "\n## Commands\n\nExit codes: 0 done, 1 failed, 2 something is due, 3 bad usage or input. A flag's environment variable counts \
         where the flag is not given.\n",
    );
    program(page, &Cli::command(), "abb-operator");
    program(page, &Plugin::command(), "kubectl abb");
}

fn program(page: &mut String, program: &Command, called: &str) {
    let about = program.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(page, "\n### {called}\n\n{about}\n");
    flags(page, program);
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(page, "\n### {called} {}\n\n{about}\n", command.get_name());
        flags(page, command);
    }
}

fn flags(page: &mut String, command: &Command) {
    let shown: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()))
        .collect();
    if shown.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "| argument | environment | default | what |\n|---|---|---|---|"
    );
    for argument in shown {
        let value = argument
            .get_value_names()
            .filter(|_| argument.get_action().takes_values())
            .map(|names| names.join(" "));
        let name = match (argument.get_long(), argument.get_short()) {
            (Some(long), Some(short)) => format!("-{short}, --{long}"),
            (Some(long), None) => format!("--{long}"),
            (None, _) => String::new(),
        };
        let name = [name, value.unwrap_or_default()].join(" ");
        let environment = argument
            .get_env()
            .map(|name| format!("`{}`", name.to_string_lossy()))
            .unwrap_or_default();
        let default: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let values: Vec<_> = argument
            .get_possible_values()
            .iter()
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let mut help = format!("{}.", help.trim_end_matches('.'));
        if argument.get_action().takes_values() && !values.is_empty() {
            let _ = write!(help, " One of {}.", values.join(", "));
        }
        let _ = writeln!(
            page,
            "| `{}` | {environment} | {} | {} |",
            name.trim(),
            default.join(", "),
            cell(&help)
        );
    }
}
