//! `import`: manifests for the tasks of a NAS that no BackupTask stands for. The NAS is asked now, and the list is taken only
//! whole. What is printed starts nothing, is in the order of the NAS's numbers, and is the same each time.

mod folder;
mod manifest;
mod names;

use std::collections::BTreeSet;

use kube::{ResourceExt, api::ListParams};

use super::{Place, chosen::listed};
use crate::{
    api::{BackupServer, BackupTask},
    cli::{Failure, call::print},
    clock::Clock,
    config::ImportArgs,
    controller::client_of,
    nas::{Client, Task, TaskId, explain},
    observe::{Bound, Inventory, bind, read_inventory},
};

/// Prints the manifests, or writes them into a folder. `namespace` is the one that was asked for, if any.
pub(super) async fn run(place: &Place, namespace: Option<&str>, args: &ImportArgs) -> Result<(), Failure> {
    let ImportArgs { server, output_dir } = args;
    let server = place.server(server).await?;
    let name = server.name_any();
    let (objects, broken) = listed(place, &ListParams::default())
        .await
        .map_err(|refusal| refusal.explain("list the BackupTasks", "list"))?;
    for (object, error) in &broken {
        eprintln!(
            "warning: the BackupTask {object:?} cannot be read, so the task it stands for may be among these: {error}"
        );
    }
    let client = client_of(&place.kubernetes, &server, Clock::system())
        .await
        .map_err(|problem| Failure::new(problem.message))?;
    let read = read(&client, &server).await;
    client.logout().await;
    let (inventory, serial) = read?;
    let tasks = unmanaged(&objects, &name, &inventory, serial.as_deref());
    let taken = objects
        .iter()
        .map(ResourceExt::name_any)
        .chain(broken.into_iter().map(|(name, _)| name));
    let names = names::of(&tasks, taken.collect());
    let mut manifests = Vec::new();
    for (task, object) in tasks.into_iter().zip(names) {
        match manifest::of(task, &inventory, &object, &name, namespace) {
            Some(text) => manifests.push((object, text)),
            None => eprintln!(
                "warning: task {} of the NAS, {:?}, is left out: it has neither uniqueKey nor name nor number by which a \
                 BackupTask could mean it",
                task.id, task.name
            ),
        }
    }
    if manifests.is_empty() {
        eprintln!(
            "nothing to import: a BackupTask stands for each of the {} tasks of {name:?}",
            inventory.tasks.len()
        );
        return Ok(());
    }
    match output_dir {
        Some(folder) => folder::write(folder, &manifests).map(|told| print(&told)),
        None => {
            let texts: Vec<String> = manifests.into_iter().map(|(_, text)| text).collect();
            print(&texts.join("---\n"));
            Ok(())
        }
    }
}

/// The tasks of the NAS, all of them, and its serial where the account may ask for it.
async fn read(client: &Client, server: &BackupServer) -> Result<(Inventory, Option<String>), Failure> {
    let failed = |error| Failure::new(explain(&client.address(), &error));
    let serial = match client.dsm_info().await {
        Ok(read) => read.value.serial,
        Err(error) if error.is_unavailable() => {
            let status = server.status.as_ref();
            status.and_then(|status| status.dsm.as_ref()?.serial.clone())
        }
        Err(error) => return Err(failed(error)),
    };
    let inventory = read_inventory(client, false).await.map_err(failed)?;
    if inventory.complete {
        return Ok((inventory, serial));
    }
    Err(Failure::new(format!(
        "{}: the NAS listed its tasks in part ({} readable), and an import of some would look like all: try again, and see \
         kubectl abb doctor {}",
        client.address(),
        inventory.tasks.len(),
        server.name_any()
    )))
}

/// The tasks for which no BackupTask of the server stands, by number.
fn unmanaged<'a>(
    objects: &[BackupTask],
    server: &str,
    inventory: &'a Inventory,
    serial: Option<&str>,
) -> Vec<&'a Task> {
    let mut seen: BTreeSet<TaskId> = objects
        .iter()
        .filter(|object| object.spec.server_ref.name == server)
        .filter_map(|object| match bind(object, Some(inventory), serial) {
            Bound::To(task) => Some(task.id),
            _ => None,
        })
        .collect();
    let mut tasks: Vec<&Task> = inventory.tasks.iter().collect();
    tasks.sort_by_key(|task| task.id);
    tasks.retain(|task| seen.insert(task.id));
    tasks
}
