//! The line of each fault, in every way in which a document can be written down.

use super::{Folder, SERVER, TASK, faults, objects};
use crate::manifest::changes;

#[test]
fn a_fault_names_the_line_of_its_field_or_of_the_nearest_parent() {
    let text = format!(
        "# a comment\n---\n{SERVER}---\n{TASK}  retries: 101\n  triggers:\n    schedule: \"@daily\"\n\n    maxAge: soon\n  \
         removal:\n    when: Now\n    confirm: key\n  suspended: true\n---\n# the end\n"
    );
    assert_eq!(
        faults(&text),
        [
            r#"a.yaml:22: BackupTask "laptop": spec.retries: should be less than or equal to 100, not 101"#,
            r#"a.yaml:26: BackupTask "laptop": spec.triggers.maxAge: write a duration such as 90s, 5m or 1h30m (units h, m, s, ms; a day is 24h)"#,
            r#"a.yaml:27: BackupTask "laptop": spec.removal: notAfter is required with Now: set a time soon after which nothing may be removed any more"#,
            r#"a.yaml:30: BackupTask "laptop": spec.suspended: unknown field: did you mean "suspend"?"#,
        ]
    );
    let missing = TASK.replace("  serverRef:\n    name: nas\n", "");
    assert_eq!(
        faults(&missing),
        [r#"a.yaml:5: BackupTask "laptop": spec.serverRef: required value is missing"#]
    );
}

#[test]
fn json_and_flow_style_have_lines_too() {
    let json = "{\n  \"apiVersion\": \"activebackup.dev/v1alpha1\",\n\t\"kind\": \"BackupTask\",\n  \"metadata\": {\"name\": \"l\\u0061ptop\"},\n  \
                \"spec\": {\n    \"serverRef\": {\"name\": \"nas\"},\n    \"task\": {\"name\": \"\\ud83d\\uddc4\\/\"},\n    \"retries\":\n      \
                -1\n  }\n}\n";
    let folder = Folder::with(&[("a.json", json)]);
    assert_eq!(
        folder.faults(&["a.json"]),
        [r#"a.json:8: BackupTask "laptop": spec.retries: should be greater than or equal to 0, not -1"#]
    );
    let right = Folder::with(&[("a.json", &json.replace("-1", "1.0"))])
        .load(&["a.json"])
        .unwrap();
    assert_eq!(
        right.tasks[0].object.spec.task.name.as_deref(),
        Some("\u{1f5c4}/")
    );
    assert_eq!(right.tasks[0].object.spec.retries, 1);
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_change_nothing() {
    let text = format!("\u{feff}{SERVER}---\n{TASK}  retries: 101\n").replace('\n', "\r\n");
    assert_eq!(
        faults(&text),
        [r#"a.yaml:20: BackupTask "laptop": spec.retries: should be less than or equal to 100, not 101"#]
    );
    let right = objects(&text.replace("101", "100"));
    assert_eq!((right.tasks.len(), right.servers.len()), (1, 1));
}

#[test]
fn the_items_of_lists_are_objects_of_their_own() {
    let indented = |text: &str| {
        text.lines()
            .flat_map(|line| ["  ", line, "\n"])
            .collect::<String>()
    };
    let list = format!(
        "apiVersion: v1\nkind: List\nmetadata: {{resourceVersion: \"\"}}\nitems:\n- {}- {}",
        indented(SERVER).trim_start(),
        indented(&format!("{TASK}  retries: 101\n")).trim_start()
    );
    assert_eq!(
        faults(&list),
        [r#"a.yaml:23: BackupTask "laptop": spec.retries: should be less than or equal to 100, not 101"#]
    );
    let right = objects(&list.replace("101", "1"));
    assert_eq!((right.servers.len(), right.tasks.len(), right.others), (1, 1, 0));
    assert_eq!(right.tasks[0].place.line, 14);
    let typed = "apiVersion: activebackup.dev/v1alpha1\nkind: BackupTaskList\nitems:\n- metadata: {name: a}\n  spec: {serverRef: {name: nas}, task: {id: 1}}\n- 5\n";
    assert_eq!(faults(typed), ["a.yaml:6: items[1]: must be an object"]);
    assert_eq!(objects(&typed.replace("- 5\n", "")).tasks.len(), 1);
    assert_eq!(objects("apiVersion: v1\nkind: List\nitems: []\n").others, 0);
}

#[test]
fn anchors_aliases_and_merges_mean_what_they_name() {
    let text = "\
apiVersion: activebackup.dev/v1alpha1
kind: BackupTask
metadata: {name: laptop}
spec:
  serverRef: {name: nas}
  task: &task
    id: 7
  triggers:
    schedule: \"@daily\"
    maxAge: &age 1 week
    startingDeadline: *age
  removal: {<<: &never {when: Never}, confirm: key}
";
    let said = faults(text);
    let duration = "write a duration such as 90s, 5m or 1h30m (units h, m, s, ms; a day is 24h)";
    assert_eq!(
        said[..2],
        [
            format!(r#"a.yaml:10: BackupTask "laptop": spec.triggers.maxAge: {duration}"#),
            format!(r#"a.yaml:11: BackupTask "laptop": spec.triggers.startingDeadline: {duration}"#),
        ]
    );
    assert!(
        said[2].starts_with(r#"a.yaml:12: BackupTask "laptop": spec.removal: confirm must be absent"#),
        "{said:?}"
    );
    let right = objects(&text.replace("1 week", "168h").replace(", confirm: key", ""));
    let triggers = &right.tasks[0].object.spec.triggers;
    assert_eq!(triggers.max_age, triggers.starting_deadline);
    assert!(triggers.max_age.is_some());
    let missing = text.replace("*age", "*agee");
    let said = faults(&missing).concat();
    assert!(
        said.contains("spec.triggers.startingDeadline: the alias *agee names no anchor"),
        "{said}"
    );
}

#[test]
fn explicit_fields_win_over_merged_ones() {
    let text =
        format!("{TASK}  removal: {{when: OnDelete, <<: [{{when: Never, confirm: a}}, {{confirm: b}}]}}\n");
    let removal = &objects(&text).tasks[0].object.spec.removal;
    assert_eq!(
        (removal.when, removal.confirm.as_deref()),
        (crate::api::RemovalWhen::OnDelete, Some("a"))
    );
    let wrong = format!("{TASK}  removal: {{<<: Never}}\n");
    assert!(
        faults(&wrong)[0].contains("<< takes a map"),
        "{:?}",
        faults(&wrong)
    );
}

#[test]
fn aliases_of_aliases_do_not_fill_the_memory() {
    let mut text = "a: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{},", level - 1).repeat(10);
        text.extend([format!("b{level}: &a{level} [{before}]\n")]);
    }
    let said = faults(&format!("{text}---\n{TASK}  retries: 101\n"));
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].contains("has more than 200000 values once aliases are replaced"),
        "{said:?}"
    );
    assert!(said[1].starts_with("a.yaml:23: BackupTask"), "{said:?}");
    let circle = faults("a: &a [*a]\n");
    assert!(
        circle[0].contains("a[0]: an alias stands inside of what it names"),
        "{circle:?}"
    );
}

#[test]
fn a_broken_document_hides_no_other_one() {
    let text = format!("{TASK}\tretries: 1\n---\na: [1, 2\n---\n{SERVER}  mode: plan\n---\n\"unclosed\n");
    let said = faults(&text);
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(
        said[0].starts_with("a.yaml:9: failed to read as YAML: while scanning a plain scalar, found a tab"),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("a.yaml:12: failed to read as YAML: unclosed bracket '['"),
        "{said:?}"
    );
    assert!(
        said[2].starts_with("a.yaml:23: BackupServer \"nas\": spec.mode: unsupported value: \"plan\""),
        "{said:?}"
    );
    assert!(
        said[3].contains("failed to read as YAML: unclosed quote"),
        "{said:?}"
    );
    for (line, remedy) in [
        ("schedule: @daily", "put the value in quotes"),
        ("schedule: * 2 * * *", "put the value in quotes"),
    ] {
        let said = faults(&format!("{TASK}  triggers:\n    {line}\n"));
        assert!(
            said[0].starts_with("a.yaml:11: ") && said[0].ends_with(remedy),
            "{said:?}"
        );
    }
    let template = faults("a:\n  {{- if .Values.x }}\n  b: c\n  {{- end }}\n");
    assert!(template[0].contains("render the template first"), "{template:?}");
}

#[test]
fn a_key_that_stands_twice_is_named_with_both_lines() {
    let text = format!("{TASK}  suspend: true\n  retries: 1\n  suspend: false\n");
    assert_eq!(
        faults(&text),
        [r#"a.yaml:12: BackupTask "laptop": spec.suspend: stands twice, first in line 10: keep one"#]
    );
    let elsewhere =
        faults("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\n  labels: {b: c, b: d}\n");
    assert_eq!(
        elsewhere,
        [r#"a.yaml:5: Deployment "a": metadata.labels.b: stands twice, first in line 5: keep one"#]
    );
}

#[test]
fn keys_and_tags_that_json_does_not_have_are_refused() {
    for (line, said) in [
        ("  ? [a, b]\n  : c\n", "a key must be a text"),
        ("  ~: c\n", "a key must be a text"),
        ("  retries: !seven 7\n", "must be of type integer, not string"),
        ("  retries: !!int seven\n", "is no !!int"),
        ("  retries: .inf\n", "is no number that JSON has"),
        (
            "  triggers: {request: !!binary \"?\"}\n",
            "spec.triggers.request: is no base64",
        ),
    ] {
        let all = faults(&format!("{TASK}{line}"));
        assert!(
            all.iter()
                .any(|fault| fault.starts_with("a.yaml:10: ") && fault.contains(said)),
            "{line}: {all:?}"
        );
    }
    let tagged = objects(&format!(
        "{TASK}  retries: !!int \"7\"\n  triggers: {{request: !!str 2026}}\n"
    ));
    assert_eq!(tagged.tasks[0].object.spec.retries, 7);
    assert_eq!(
        tagged.tasks[0].object.spec.triggers.request.as_deref(),
        Some("2026")
    );
}

#[test]
fn a_read_object_gives_the_place_of_its_fields() {
    let read = objects(&format!(
        "{TASK}  triggers: {{schedule: \"@daily\",\n    jitter: 5m}}\n"
    ));
    let task = &read.tasks[0];
    for (field, line) in [
        ("", 1),
        ("metadata.name", 4),
        ("spec.triggers.schedule", 10),
        ("spec.triggers.jitter", 11),
        ("spec.triggers.timeZone", 10),
        ("spec.removal.when", 5),
    ] {
        assert_eq!(task.at(field).line, line, "{field}");
    }
    let fault = task.fault("spec.triggers.schedule", "has no day").to_string();
    assert!(
        fault.ends_with(r#"a.yaml:10: BackupTask "laptop": spec.triggers.schedule: has no day"#),
        "{fault}"
    );
}

#[test]
fn a_change_is_judged_by_the_rules_about_changes_alone() {
    let before = objects(TASK);
    let after = objects(&TASK.replace("name: nas", "name: other"));
    let said = changes(&before.tasks[0].object, &after.tasks[0]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(
        (said[0].field.as_str(), said[0].place.line),
        ("spec.serverRef.name", 7)
    );
    assert!(said[0].message.starts_with("is immutable: "), "{}", said[0]);
    assert_eq!(changes(&before.tasks[0].object, &before.tasks[0]), []);
}

#[test]
fn a_fault_is_one_line_whatever_its_field_is_called() {
    let said = faults(&format!("{TASK}  \"a\\n\\e[2Jb\": 1\n"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with(r#"a.yaml:10: BackupTask "laptop": spec[a\n\u{1b}[2Jb]: unknown field"#),
        "{said:?}"
    );
}
