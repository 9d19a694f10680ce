//! The alert rules as the chart renders them: checked by promtool, each tried firing and not firing
//! (`tests/packaging/alerts/`), each with its runbook, on metrics that exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;

use crate::observed::{file, judged, metrics_of, path, promtool, rendered};

const TEMPLATE: &str = "templates/prometheusrule.yaml";
const ENABLED: &str = "prometheusRule.enabled=true";
const RUNBOOKS: &str = "https://github.com/abb-operator/abb-operator/blob/main/docs/runbooks.md#";

fn rules() -> Value {
    let object = rendered(TEMPLATE, &[ENABLED]).unwrap();
    assert_eq!(object["kind"], "PrometheusRule");
    assert_eq!(object["apiVersion"], "monitoring.coreos.com/v1");
    object["spec"].clone()
}

fn each_rule(rules: &Value) -> Vec<&Value> {
    let groups = rules["groups"].as_array().unwrap();
    groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect()
}

fn names(rules: &Value) -> BTreeSet<String> {
    let names: Vec<String> = each_rule(rules)
        .iter()
        .map(|rule| rule["alert"].as_str().unwrap().to_owned())
        .collect();
    let set: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(set.len(), names.len(), "a name stands twice: {names:?}");
    set
}

/// The cases, each file with its content.
fn cases() -> Vec<(String, Value)> {
    let mut files: Vec<(String, Value)> = fs::read_dir(path("tests/packaging/alerts"))
        .unwrap()
        .map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let content = serde_saphyr::from_str(&file(&format!("tests/packaging/alerts/{name}"))).unwrap();
            (name, content)
        })
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(!files.is_empty());
    files
}

#[test]
fn promtool_finds_nothing_wrong_and_every_case_comes_out() {
    let scratch = tempfile::tempdir().unwrap();
    let mut rules = rules();
    // JSON is YAML. The cases speak of when an alert fires; those of `texts.yaml` also of what it says.
    fs::write(scratch.path().join("annotated.yaml"), rules.to_string()).unwrap();
    for group in rules["groups"].as_array_mut().unwrap() {
        for rule in group["rules"].as_array_mut().unwrap() {
            rule.as_object_mut().unwrap().remove("annotations").unwrap();
        }
    }
    fs::write(scratch.path().join("alerts.yaml"), rules.to_string()).unwrap();

    let checked = promtool()
        .args(["check", "rules", "--lint=all", "--lint-fatal", "annotated.yaml"])
        .current_dir(&scratch)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");

    let mut files = Vec::new();
    for (name, _) in cases() {
        let source = path("tests/packaging/alerts").join(&name);
        fs::copy(source, scratch.path().join(&name)).unwrap();
        files.push(name);
    }
    let tried = promtool()
        .args(["test", "rules"])
        .args(&files)
        .current_dir(&scratch)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tried.stdout) + String::from_utf8_lossy(&tried.stderr);
    assert!(tried.status.success(), "{said}");
}

#[test]
fn every_alert_is_tried_both_ways_and_its_words_are_read() {
    let mut fires = BTreeSet::new();
    let mut is_silent = BTreeSet::new();
    let mut is_read = BTreeSet::new();
    for (name, content) in cases() {
        for case in content["tests"].as_array().unwrap() {
            for tried in case["alert_rule_test"].as_array().unwrap() {
                let alert = tried["alertname"].as_str().unwrap().to_owned();
                let expected = tried["exp_alerts"].as_array().unwrap();
                let has_words = |alert: &Value| alert.get("exp_annotations").is_some();
                if name == "texts.yaml" {
                    assert!(expected.iter().all(has_words), "{alert}");
                    is_read.insert(alert.clone());
                }
                let kind = if expected.is_empty() {
                    &mut is_silent
                } else {
                    &mut fires
                };
                kind.insert(alert);
            }
        }
    }
    let names = names(&rules());
    assert_eq!(fires, names, "alerts with a case that fires");
    assert_eq!(is_silent, names, "alerts with a case that does not fire");
    assert_eq!(is_read, names, "alerts whose words stand in texts.yaml");
}

#[test]
fn every_alert_says_what_how_bad_and_where_to_read_on() {
    for rule in each_rule(&rules()) {
        let name = rule["alert"].as_str().unwrap();
        assert!(name.starts_with("ActiveBackup"), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}");
        let annotations = &rule["annotations"];
        for key in ["summary", "description"] {
            assert!(!annotations[key].as_str().unwrap().is_empty(), "{name}: {key}");
        }
        let expected = format!("{RUNBOOKS}{}", name.to_lowercase());
        assert_eq!(annotations["runbook_url"], expected.as_str());
    }
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let mut sections: BTreeMap<String, String> = BTreeMap::new();
    let text = file("docs/runbooks.md");
    for section in text.split("\n## ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap();
        if title.starts_with("ActiveBackup") {
            assert!(
                sections.insert(title.to_owned(), body.to_owned()).is_none(),
                "{title}"
            );
        }
    }
    let names = names(&rules());
    assert_eq!(sections.keys().cloned().collect::<BTreeSet<_>>(), names);
    let rules = rules();
    for rule in each_rule(&rules) {
        let name = rule["alert"].as_str().unwrap();
        let body = &sections[name];
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(
            body.contains(&format!("Severity: {severity}.")),
            "{name}: its severity"
        );
        for part in [
            "**Meaning.**",
            "**Impact.**",
            "**Find the cause.**",
            "**What to do.**",
            "**When it is fine.**",
        ] {
            assert!(body.contains(part), "{name} lacks {part}");
        }
        assert!(body.contains("kubectl "), "{name}: how to look");
    }
}

#[test]
fn alerts_speak_of_metrics_and_labels_that_exist() {
    let rules = rules();
    let rules = each_rule(&rules);
    let expressions: Vec<String> = rules
        .iter()
        .map(|rule| rule["expr"].as_str().unwrap().to_owned())
        .collect();
    for ((rule, expression), judged) in rules.iter().zip(&expressions).zip(judged(&expressions)) {
        let metrics = metrics_of(rule["alert"].as_str().unwrap(), expression, &judged);
        assert!(!metrics.is_empty());
    }
}

#[test]
fn values_shape_the_rules() {
    let all = names(&rules());
    let shaped = rendered(
        TEMPLATE,
        &[
            ENABLED,
            r#"prometheusRule.disabled=["ActiveBackupUnmanagedTasks", "ActiveBackupClockSkew"]"#,
            r#"prometheusRule.labels={"release": "monitoring"}"#,
            r#"prometheusRule.annotations={"team": "storage"}"#,
            r#"prometheusRule.runbookBaseUrl="https://wiki.example.org/backups""#,
            "prometheusRule.defaultMaxAgeSeconds=700000",
            "prometheusRule.longRunningSeconds=1000000",
            "prometheusRule.longWaitingSeconds=7200",
            r#"prometheusRule.serverDownFor="1h""#,
        ],
    )
    .unwrap();
    assert_eq!(shaped["metadata"]["labels"]["release"], "monitoring");
    assert_eq!(shaped["metadata"]["annotations"]["team"], "storage");
    let spec = &shaped["spec"];
    let left: BTreeSet<String> = all.difference(&names(spec)).cloned().collect();
    let out = ["ActiveBackupClockSkew", "ActiveBackupUnmanagedTasks"].map(str::to_owned);
    assert_eq!(left, BTreeSet::from(out));
    let rule = |name: &str| {
        let rules = each_rule(spec);
        let rule = rules.iter().find(|rule| rule["alert"] == name).unwrap();
        (*rule).clone()
    };
    let says = |name: &str, words: &str| {
        let expression = rule(name)["expr"].as_str().unwrap().to_owned();
        assert!(expression.contains(words), "{expression}");
    };
    says("ActiveBackupTooOld", "* 0 + 700000\n");
    // Not 1e+06.
    says("ActiveBackupRunningTooLong", "> 1000000\n");
    says("ActiveBackupWaitingTooLong", "> 7200\n");
    assert_eq!(rule("ActiveBackupServerDown")["for"], "1h");
    assert_eq!(
        rule("ActiveBackupServerDown")["annotations"]["runbook_url"],
        "https://wiki.example.org/backups#activebackupserverdown"
    );

    let without = rendered(TEMPLATE, &[ENABLED, "prometheusRule.defaultMaxAgeSeconds=0"]).unwrap();
    let rules = each_rule(&without["spec"]);
    let age = rules
        .iter()
        .find(|rule| rule["alert"] == "ActiveBackupTooOld")
        .unwrap();
    assert!(age["expr"].as_str().unwrap().contains("* 0 + Inf\n"), "{age}");

    let refused = rendered(
        TEMPLATE,
        &[ENABLED, r#"prometheusRule.disabled=["ActiveBackupTooOdd"]"#],
    )
    .unwrap_err();
    assert!(
        refused.contains(r#"there is no alert "ActiveBackupTooOdd""#)
            && refused.contains("ActiveBackupTooOld"),
        "{refused}"
    );
    assert!(
        rendered(TEMPLATE, &[])
            .unwrap_err()
            .contains("could not find template")
    );
}
