//! `import`: manifests for the tasks of a NAS that no BackupTask stands for.

use super::Place;
use crate::{cli::Failure, config::ImportArgs};

pub(super) async fn run(place: &Place, namespace: Option<&str>, args: &ImportArgs) -> Result<(), Failure> {
    let _ = (place, namespace, args);
    Err(Failure::new("not built yet"))
}
