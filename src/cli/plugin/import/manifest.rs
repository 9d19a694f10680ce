//! The manifest of one task: bound by what lasts, starting nothing. Texts of a NAS are quoted, so that none of them is more
//! than a text. Pure.

use std::fmt::Write as _;

use serde_json::json;

use crate::{
    api::{BackupTask, BackupType, SourceType, TaskSelector},
    nas::Task,
    observe::{Bound, Inventory, bind},
};

/// Longest `uniqueKey` and name that a BackupTask may have.
const LONGEST_KEY: usize = 253;
const LONGEST_NAME: usize = 1024;
/// As much of a name as a comment shows.
const SHOWN_NAME: usize = 100;
/// Names that YAML takes for something else.
const NO_TEXTS: [&str; 10] = ["n", "no", "null", "off", "on", "true", "false", "y", "yes", "nan"];

const TRIGGERS: &str = concat!(
    "  # Without triggers it starts nothing: it shows what the NAS does by itself. With these it starts runs:\n",
    "  # triggers:\n",
    "  #   schedule: \"30 2 * * *\"\n",
    "  #   timeZone: Etc/UTC\n",
    "  #   jitter: 30m\n",
    "  #   maxAge: 26h\n",
);

/// The manifest under that name; `None` where no selector would mean this task and no other.
pub(super) fn of(
    task: &Task,
    inventory: &Inventory,
    object: &str,
    server: &str,
    namespace: Option<&str>,
) -> Option<String> {
    let (selector, caution) = selector(task, inventory, object, server)?;
    let mut text = format!("# {}\n", about(task));
    text.push_str("apiVersion: activebackup.dev/v1alpha1\nkind: BackupTask\nmetadata:\n");
    let _ = writeln!(text, "  name: {}", plain(object));
    if let Some(namespace) = namespace {
        let _ = writeln!(text, "  namespace: {}", plain(namespace));
    }
    let _ = writeln!(text, "spec:\n  serverRef:\n    name: {}\n  task:", plain(server));
    if let Some(caution) = caution {
        let _ = writeln!(text, "    # {caution}");
    }
    let TaskSelector { name, id, unique_key } = selector;
    if let Some(key) = unique_key {
        let _ = writeln!(text, "    uniqueKey: {}", quoted(&key));
    }
    if let Some(name) = name {
        let _ = writeln!(text, "    name: {}", quoted(&name));
    }
    if let Some(id) = id {
        let _ = writeln!(text, "    id: {id}");
    }
    text.push_str(TRIGGERS);
    Some(text)
}

/// What means this task and no other: the key, which lasts; else the name, under which another task would be meant as
/// well; at last the number, which the NAS may give to another one.
fn selector(
    task: &Task,
    inventory: &Inventory,
    object: &str,
    server: &str,
) -> Option<(TaskSelector, Option<&'static str>)> {
    let key = task.unique_key.as_ref().map(|key| key.as_str().to_owned());
    let has_key = key.is_some();
    let by_key = TaskSelector {
        unique_key: key.filter(|key| key.chars().count() <= LONGEST_KEY),
        ..TaskSelector::default()
    };
    let name =
        (!task.name.is_empty() && task.name.chars().count() <= LONGEST_NAME).then(|| task.name.clone());
    let by_name = TaskSelector {
        name,
        ..TaskSelector::default()
    };
    let by_id = TaskSelector {
        id: (task.id.0 >= 1).then_some(task.id.0),
        ..TaskSelector::default()
    };
    let cautions = if has_key {
        [
            None,
            Some(
                "Its uniqueKey cannot be used: it is another task's as well, or too long. A rename on the NAS loses it.",
            ),
            Some(
                "Its uniqueKey cannot be used: it is another task's as well, or too long. Nor can its name.",
            ),
        ]
    } else {
        [
            None,
            Some("The NAS gives it no uniqueKey: a rename on the NAS loses it."),
            Some(
                "The NAS gives it no uniqueKey, and its name is not its alone: the NAS may give this number to another task.",
            ),
        ]
    };
    [by_key, by_name, by_id]
        .into_iter()
        .zip(cautions)
        .find(|(selector, _)| {
            *selector != TaskSelector::default() && means(selector, task, inventory, object, server)
        })
}

/// Whether an object with that selector would be bound to this task.
fn means(selector: &TaskSelector, task: &Task, inventory: &Inventory, object: &str, server: &str) -> bool {
    let Ok(spec) = serde_json::from_value(json!({ "serverRef": { "name": server }, "task": selector }))
    else {
        return false;
    };
    let object = BackupTask::new(object, spec);
    matches!(bind(&object, Some(inventory), None), Bound::To(found) if found.id == task.id)
}

fn about(task: &Task) -> String {
    let kind = task
        .backup_type
        .map(BackupType::from_code)
        .filter(|kind| *kind != BackupType::Unknown);
    let source = task
        .source_type
        .map(SourceType::from_code)
        .filter(|source| !matches!(source, SourceType::Unknown | SourceType::None));
    let kinds: Vec<&str> = [kind.map(BackupType::as_str), source.map(SourceType::as_str)]
        .into_iter()
        .flatten()
        .collect();
    let kinds = if kinds.is_empty() {
        String::new()
    } else {
        format!(": {}", kinds.join(", "))
    };
    let name: String = task.name.chars().take(SHOWN_NAME).collect();
    let rest = if name.len() < task.name.len() { "…" } else { "" };
    // The form for programmers escapes line breaks and all that cannot be seen.
    format!("{name:?}{rest}, number {} on the NAS{kinds}", task.id)
}

/// A name of Kubernetes, quoted where YAML would take it for a number or the like.
fn plain(name: &str) -> String {
    let is_text = name.starts_with(|first: char| first.is_ascii_lowercase()) && !NO_TEXTS.contains(&name);
    if is_text { name.to_owned() } else { quoted(name) }
}

/// A text in double quotes, in which all that cannot be seen is escaped.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '..='~' => quoted.push(letter),
            _ if letter.escape_debug().count() == 1 => quoted.push(letter),
            _ => {
                let code = u32::from(letter);
                let _ = if code > 0xffff {
                    write!(quoted, "\\U{code:08X}")
                } else {
                    write!(quoted, "\\u{code:04X}")
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        nas::{TaskId, UniqueKey},
        observe::Queue,
    };

    pub(in super::super) fn task(id: i64, name: &str, key: Option<&str>) -> Task {
        Task {
            id: TaskId(id),
            name: name.to_owned(),
            unique_key: key.and_then(UniqueKey::new),
            backup_type: Some(2),
            source_type: Some(1),
            device_count: None,
            devices: Vec::new(),
            share_name: None,
            version_count: None,
            versions: None,
            next_trigger_time: None,
            allow_manual_backup: None,
            status: None,
            target_status: None,
            progress: None,
            last_result: None,
        }
    }

    pub(in super::super) fn inventory(tasks: Vec<Task>) -> Inventory {
        Inventory {
            begun: jiff::Timestamp::UNIX_EPOCH,
            nas_time: None,
            complete: true,
            tasks,
            queue: Queue::NotAsked,
        }
    }

    /// The object that a manifest is, read by the YAML library.
    fn parsed(text: &str) -> BackupTask {
        let value: serde_json::Value = serde_saphyr::from_str(text).unwrap();
        serde_json::from_value(value).unwrap()
    }

    const ODD: [&str; 9] = [
        "peterm-Default",
        "\"}\n---\nkind: Secret\n# ",
        "# no comment",
        "tab\tand\u{85}next\u{2028}line\u{2029}",
        "\u{202e}backwards\u{feff}",
        "back\\slash 'and' \"quotes\": {a: b}",
        "Büro ノート 🖥\u{301}",
        "true",
        " ",
    ];

    #[test]
    fn a_manifest_is_one_object_that_means_its_task_whatever_its_name() {
        for (index, name) in (1..).zip(ODD) {
            for key in [
                None,
                Some("75711daf-8ee1-4bcb-bd84-2b04e9983f6d"),
                Some("odd \" # key\n"),
            ] {
                let inventory = inventory(vec![task(index, name, key), task(100, "other", None)]);
                let text = of(&inventory.tasks[0], &inventory, "laptop", "nas", Some("backups")).unwrap();
                let object = parsed(&text);
                assert_eq!(object.metadata.name.as_deref(), Some("laptop"));
                assert_eq!(object.metadata.namespace.as_deref(), Some("backups"));
                assert_eq!(object.spec.server_ref.name, "nas");
                assert!(
                    matches!(bind(&object, Some(&inventory), None), Bound::To(found) if found.id.0 == index),
                    "{text}"
                );
                let least = json!({ "serverRef": { "name": "nas" }, "task": object.spec.task });
                assert_eq!(
                    object.spec,
                    serde_json::from_value(least).unwrap(),
                    "nothing but the defaults: {text}"
                );
                let comments = text
                    .lines()
                    .filter(|line| line.trim_start().starts_with('#'))
                    .count();
                assert_eq!(comments, 7 + usize::from(key.is_none()), "{text}");
                assert!(
                    text.chars().all(|letter| letter == '\n' || !letter.is_control()),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn the_suggestion_is_a_valid_one() {
        let inventory = inventory(vec![task(1, "laptop", Some("k"))]);
        let text = of(&inventory.tasks[0], &inventory, "laptop", "nas", None).unwrap();
        assert!(text.contains("\n  # Without triggers"), "{text}");
        let taken_out: String = text
            .lines()
            .map(|line| match line.strip_prefix("  # ") {
                Some(rest) if !rest.starts_with("Without") => format!("  {rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let triggers = parsed(&taken_out).spec.triggers;
        assert!(
            triggers.schedule.is_some() && triggers.max_age.is_some(),
            "{taken_out}"
        );
    }

    #[test]
    fn a_task_without_a_key_of_its_own_is_meant_by_name_or_number_and_that_is_said() {
        let inventory = inventory(vec![
            task(1, "alone", None),
            task(2, "twice", None),
            task(3, "twice", None),
            task(4, "copy", Some("same")),
            task(5, "copied", Some("same")),
            task(0, "", None),
        ]);
        let text = |index: usize| of(&inventory.tasks[index], &inventory, "x", "nas", None);
        for (index, selector, said) in [
            (0, "    name: \"alone\"\n", "gives it no uniqueKey: a rename"),
            (1, "    id: 2\n", "may give this number to another task"),
            (3, "    name: \"copy\"\n", "another task's as well"),
        ] {
            let text = text(index).unwrap();
            assert!(text.contains(selector) && text.contains(said), "{text}");
        }
        assert_eq!(text(5), None);
    }

    #[test]
    fn names_that_yaml_takes_for_something_else_are_quoted() {
        for (name, expected) in [
            ("laptop", "laptop"),
            ("123", "\"123\""),
            ("no", "\"no\""),
            ("1e5", "\"1e5\""),
        ] {
            assert_eq!(plain(name), expected);
        }
    }
}
