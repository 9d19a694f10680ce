//! Whether the definitions in the cluster are those of this build: versions, columns and schemas are compared, without
//! descriptions, labels and whatever else an installer or the API server adds.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use serde_json::{Map, Value};

/// How an installed definition stands to ours.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Fields of ours that it lacks: it is older.
    pub lacks: Vec<String>,
    /// Fields of its own: it is newer.
    pub adds: Vec<String>,
    /// Fields, or other parts, that both have and say otherwise.
    pub changed: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Why an installed definition is of no use, or how it differs from ours.
pub(super) fn compare(
    installed: &CustomResourceDefinition,
    ours: &CustomResourceDefinition,
) -> Result<Difference, String> {
    let mut difference = Difference::default();
    for version in &ours.spec.versions {
        let name = &version.name;
        let Some(theirs) = installed.spec.versions.iter().find(|other| other.name == *name) else {
            return Err(format!("it has no version {name}"));
        };
        if !theirs.served {
            return Err(format!("its version {name} is not served"));
        }
        fields("", &schema(theirs), &schema(version), &mut difference);
        if theirs.additional_printer_columns != version.additional_printer_columns {
            difference.changed.push("the columns of kubectl get".to_owned());
        }
    }
    if installed.spec.scope != ours.spec.scope {
        difference.changed.push("the scope".to_owned());
    }
    Ok(difference)
}

/// What keeps an installed definition from being served, as the API server says it.
pub(super) fn refused(installed: &CustomResourceDefinition) -> Option<String> {
    let conditions = installed.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|condition| {
            ["Established", "NamesAccepted"].contains(&condition.type_.as_str())
                && condition.status == "False"
        })
        .map(|condition| condition.message.clone().unwrap_or_default())
}

fn schema(version: &CustomResourceDefinitionVersion) -> Value {
    let root = version
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref());
    serde_json::to_value(root).unwrap_or_default()
}

/// Compares two schemas of one field, and then their fields.
fn fields(path: &str, theirs: &Value, ours: &Value, difference: &mut Difference) {
    let (their_fields, our_fields) = (properties(theirs), properties(ours));
    if rest(theirs) != rest(ours) {
        let name = if path.is_empty() { "the whole" } else { path };
        difference.changed.push(name.to_owned());
    }
    let place = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    for (name, our_field) in our_fields {
        match their_fields.get(name) {
            Some(their_field) => fields(&place(name), their_field, our_field, difference),
            None => difference.lacks.push(place(name)),
        }
    }
    let surplus = their_fields.keys().filter(|name| !our_fields.contains_key(*name));
    difference.adds.extend(surplus.map(|name| place(name)));
    for inner in ["items", "additionalProperties"] {
        if let (Some(theirs), Some(ours)) = (theirs.get(inner), ours.get(inner)) {
            fields(path, theirs, ours, difference);
        }
    }
}

fn properties(schema: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&NONE)
}

/// All of a schema but its fields and its documentation.
fn rest(schema: &Value) -> Map<String, Value> {
    let mut rest = schema.as_object().cloned().unwrap_or_default();
    for looked_at_elsewhere in ["properties", "items", "additionalProperties", "description"] {
        rest.remove(looked_at_elsewhere);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::definitions;
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
        CustomResourceConversion, JSONSchemaProps,
    };

    fn spec(definition: &mut CustomResourceDefinition) -> &mut CustomResourceDefinitionVersion {
        &mut definition.spec.versions[0]
    }

    type Fields = std::collections::BTreeMap<String, JSONSchemaProps>;

    fn properties_of<'a>(definition: &'a mut CustomResourceDefinition, field: &str) -> &'a mut Fields {
        let root = spec(definition)
            .schema
            .as_mut()
            .unwrap()
            .open_api_v3_schema
            .as_mut();
        let field = root.unwrap().properties.as_mut().unwrap().get_mut(field).unwrap();
        field.properties.as_mut().unwrap()
    }

    #[test]
    fn what_an_installer_adds_makes_no_difference() {
        for ours in definitions() {
            let mut installed = ours.clone();
            installed.metadata.generation = Some(7);
            installed.metadata.labels = Some([("app".to_owned(), "x".to_owned())].into());
            installed.spec.conversion = Some(CustomResourceConversion {
                strategy: "None".to_owned(),
                webhook: None,
            });
            for field in properties_of(&mut installed, "spec").values_mut() {
                field.description = None;
            }
            assert!(compare(&installed, &ours).unwrap().is_none());
        }
    }

    #[test]
    fn fields_tell_older_from_newer() {
        let ours = definitions().pop().unwrap();
        let mut older = ours.clone();
        properties_of(&mut older, "spec").remove("retries").unwrap();
        let found = compare(&older, &ours).unwrap();
        assert_eq!(
            (found.lacks, found.adds.len(), found.changed.len()),
            (vec!["spec.retries".to_owned()], 0, 0)
        );
        let found = compare(&ours, &older).unwrap();
        assert_eq!(found.adds, ["spec.retries"]);
        let mut other = ours.clone();
        let retries = properties_of(&mut other, "spec").get_mut("retries").unwrap();
        retries.maximum = Some(3.0);
        assert_eq!(compare(&other, &ours).unwrap().changed, ["spec.retries"]);
    }

    #[test]
    fn a_version_that_is_not_served_is_of_no_use() {
        let ours = definitions().pop().unwrap();
        let mut installed = ours.clone();
        spec(&mut installed).served = false;
        assert_eq!(
            compare(&installed, &ours).unwrap_err(),
            "its version v1alpha1 is not served"
        );
        spec(&mut installed).name = "v1".to_owned();
        assert_eq!(
            compare(&installed, &ours).unwrap_err(),
            "it has no version v1alpha1"
        );
    }
}
