//! The CustomResourceDefinitions: what the derives cannot say is added here, and the text that stands in
//! `crds/` is made here. A test fails when the two differ.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps,
};
use kube::CustomResourceExt;

use super::{BackupServer, BackupTask};

/// Both definitions, in the order of their names.
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![finish(BackupServer::crd()), finish(BackupTask::crd())]
}

/// File name and content of each definition as it stands in `crds/`.
///
/// # Errors
/// The serializer's, which a generated definition does not meet.
pub fn definitions_yaml() -> Result<Vec<(String, String)>, serde_saphyr::SerializeError> {
    definitions()
        .iter()
        .map(|definition| {
            let name = format!("{}_{}.yaml", super::GROUP, definition.spec.names.plural);
            Ok((name, format!("---\n{}", serde_saphyr::to_string(definition)?)))
        })
        .collect()
}

fn finish(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        let Some(root) = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        drop_nullable(root);
        let Some(status) = root.properties.as_mut().and_then(|p| p.get_mut("status")) else {
            continue;
        };
        // Tools see an object that nobody has looked at yet as in progress (kstatus).
        status.default = Some(JSON(serde_json::json!({ "observedGeneration": -1 })));
        if let Some(conditions) = status.properties.as_mut().and_then(|p| p.get_mut("conditions")) {
            conditions.x_kubernetes_list_type = Some("map".to_owned());
            conditions.x_kubernetes_list_map_keys = Some(vec!["type".to_owned()]);
        }
        mark_atomic(status);
        for part in status.properties.iter_mut().flat_map(|parts| parts.values_mut()) {
            // The operator alone writes them, each as a whole: an API server has no owners of single fields to keep.
            if part.type_.as_deref() == Some("object") {
                part.x_kubernetes_map_type = Some("atomic".to_owned());
            }
        }
    }
    definition
}

/// Every list of the status without a map key is replaced as a whole: its writer is the operator alone.
fn mark_atomic(schema: &mut JSONSchemaProps) {
    if schema.type_.as_deref() == Some("array") && schema.x_kubernetes_list_type.is_none() {
        schema.x_kubernetes_list_type = Some("atomic".to_owned());
    }
    schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
        .for_each(mark_atomic);
}

/// Without `nullable` the API server prunes an explicit null before it applies defaults, which is what a
/// template that renders an empty value means.
fn drop_nullable(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
        .for_each(drop_nullable);
}
