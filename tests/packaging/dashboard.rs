//! The dashboard as the chart renders it: it speaks of metrics and labels that exist and of all of them, by the data source
//! that is chosen, and its panels lie side by side.

use std::collections::BTreeSet;

use abb_operator::telemetry::CATALOGUE;
use serde_json::{Value, json};

use crate::observed::{judged, metrics_of, rendered};

const TEMPLATE: &str = "templates/dashboard.yaml";
const ENABLED: &str = "dashboard.enabled=true";

fn dashboard() -> Value {
    let object = rendered(TEMPLATE, &[ENABLED]).unwrap();
    serde_json::from_str(object["data"]["abb-operator.json"].as_str().unwrap()).unwrap()
}

/// Panels, those of collapsed rows included.
fn panels(dashboard: &Value) -> Vec<Value> {
    let mut panels = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        panels.push(panel.clone());
        panels.extend(panel["panels"].as_array().into_iter().flatten().cloned());
    }
    panels
}

fn title(panel: &Value) -> &str {
    panel["title"].as_str().unwrap()
}

fn is_row(panel: &Value) -> bool {
    panel["type"] == "row"
}

/// An expression as Prometheus gets it from Grafana.
fn filled_in(expression: &str) -> String {
    let filled = expression
        .replace("$__rate_interval", "5m")
        .replace("$namespace", ".*")
        .replace("$server", ".*");
    assert!(
        !filled.contains('$'),
        "a variable that does not exist: {expression}"
    );
    filled
}

/// Every expression with its place: of panels, and the series that a variable asks for the values of a label.
fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in panels(dashboard).iter().filter(|panel| !is_row(panel)) {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{} asks nothing", title(panel));
        for target in targets {
            found.push((
                title(panel).to_owned(),
                filled_in(target["expr"].as_str().unwrap()),
            ));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if variable["type"] != "query" {
            continue;
        }
        let query = variable["query"]["query"].as_str().unwrap();
        assert_eq!(variable["definition"], query);
        let inner = query
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'));
        let (series, label) = inner.unwrap().rsplit_once(", ").unwrap();
        // The label is one of the series: aggregated by it, the parser's judgement covers it too.
        let asked = format!("count by ({label}) ({})", filled_in(series));
        found.push((format!("variable {}", variable["name"]), asked));
    }
    found
}

#[test]
fn it_speaks_of_the_metrics_that_exist_and_of_all_of_them() {
    let (places, expressions): (Vec<String>, Vec<String>) = expressions(&dashboard()).into_iter().unzip();
    let mut shown = BTreeSet::new();
    for ((place, expression), judged) in places.iter().zip(&expressions).zip(judged(&expressions)) {
        shown.extend(metrics_of(place, expression, &judged));
    }
    for metric in CATALOGUE {
        let is_shown = ["", "_bucket"]
            .iter()
            .any(|suffix| shown.contains(&format!("{}{suffix}", metric.name)));
        assert!(is_shown, "{} is not on the dashboard", metric.name);
    }
}

#[test]
fn every_query_goes_to_the_data_source_that_is_chosen() {
    let dashboard = dashboard();
    let chosen = json!({"type": "prometheus", "uid": "${datasource}"});
    for panel in panels(&dashboard).iter().filter(|panel| !is_row(panel)) {
        assert_eq!(panel["datasource"], chosen, "{}", title(panel));
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], chosen, "{}", title(panel));
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["datasource", "namespace", "server"]);
    assert_eq!(variables[0]["type"], "datasource");
    assert_eq!(variables[0]["query"], "prometheus");
    for variable in &variables[1..] {
        assert_eq!(variable["datasource"], chosen, "{}", variable["name"]);
    }
}

#[test]
fn panels_lie_side_by_side_and_say_what_they_show() {
    let dashboard = dashboard();
    let panels = panels(&dashboard);
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "ids are not unique");
    let titles: BTreeSet<&str> = panels.iter().map(title).collect();
    assert_eq!(titles.len(), panels.len(), "titles are not unique");
    let mut taken = BTreeSet::new();
    for panel in &panels {
        let place = |key: &str| panel["gridPos"][key].as_i64().unwrap();
        let (x, y, w, h) = (place("x"), place("y"), place("w"), place("h"));
        assert!(x >= 0 && w > 0 && h > 0 && x + w <= 24, "{}", title(panel));
        for column in x..x + w {
            for line in y..y + h {
                assert!(
                    taken.insert((column, line)),
                    "{} lies on another panel",
                    title(panel)
                );
            }
        }
        if is_row(panel) {
            continue;
        }
        assert!(
            !panel["description"].as_str().unwrap().is_empty(),
            "{}",
            title(panel)
        );
        assert!(
            !panel["fieldConfig"]["defaults"]["unit"]
                .as_str()
                .unwrap()
                .is_empty(),
            "{} has no unit",
            title(panel)
        );
        let refs: BTreeSet<&str> = panel["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|target| target["refId"].as_str().unwrap())
            .collect();
        assert_eq!(
            refs.len(),
            panel["targets"].as_array().unwrap().len(),
            "{}",
            title(panel)
        );
    }
}

#[test]
fn columns_of_tables_are_those_of_their_queries() {
    let dashboard = dashboard();
    let panels = panels(&dashboard);
    let tables: Vec<&Value> = panels.iter().filter(|panel| panel["type"] == "table").collect();
    assert!(!tables.is_empty());
    for table in tables {
        let organize = &table["transformations"][1]["options"];
        let renamed = organize["renameByName"].as_object().unwrap();
        let excluded = organize["excludeByName"].as_object().unwrap();
        for target in table["targets"].as_array().unwrap() {
            let column = format!("Value #{}", target["refId"].as_str().unwrap());
            assert!(
                renamed.contains_key(&column) != excluded.contains_key(&column),
                "{}: {column} is either shown by a name or left out",
                title(table)
            );
            assert_eq!(target["format"], "table");
            assert_eq!(target["instant"], true);
        }
        let shown: BTreeSet<&str> = renamed.values().map(|name| name.as_str().unwrap()).collect();
        for styled in table["fieldConfig"]["overrides"].as_array().unwrap() {
            let column = styled["matcher"]["options"].as_str().unwrap();
            assert!(shown.contains(column), "{}: no column {column}", title(table));
        }
        let sorted = table["options"]["sortBy"][0]["displayName"].as_str().unwrap();
        assert!(shown.contains(sorted), "{}: no column {sorted}", title(table));
    }
}

#[test]
fn values_shape_the_config_map() {
    let shaped = rendered(
        TEMPLATE,
        &[
            ENABLED,
            r#"dashboard.folder="Backups""#,
            r#"dashboard.annotations={"team": "storage"}"#,
            r#"dashboard.labels={"dashboards": "yes"}"#,
        ],
    )
    .unwrap();
    assert_eq!(shaped["kind"], "ConfigMap");
    let metadata = &shaped["metadata"];
    assert_eq!(
        metadata["annotations"],
        json!({"grafana_folder": "Backups", "team": "storage"})
    );
    assert_eq!(metadata["labels"]["dashboards"], "yes");
    let plain = rendered(TEMPLATE, &[ENABLED]).unwrap();
    assert_eq!(plain["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(plain["metadata"].get("annotations"), None);
    assert!(
        rendered(TEMPLATE, &[])
            .unwrap_err()
            .contains("could not find template")
    );
}
