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
    let names = objects.iter().map(ResourceExt::name_any);
    let taken = names.chain(broken.into_iter().map(|(name, _)| name)).collect();
    let tasks = unmanaged(&objects, &name, &inventory, serial.as_deref());
    let (manifests, left_out) = manifests(&tasks, &inventory, taken, &name, namespace);
    for task in &left_out {
        eprintln!(
            "warning: task {} of the NAS, {:?}, is left out: neither uniqueKey nor name nor number means it and no other",
            task.id, task.name
        );
    }
    if manifests.is_empty() {
        let rest = inventory.tasks.len() - left_out.len();
        eprintln!("nothing to import: a BackupTask stands for each of the {rest} tasks of {name:?}");
        return Ok(());
    }
    if let Some(folder) = output_dir {
        return folder::write(folder, &manifests).map(|told| print(&told));
    }
    let texts: Vec<String> = manifests.into_iter().map(|(_, text)| text).collect();
    print(&texts.join("---\n"));
    Ok(())
}

/// A manifest with its object's name for each of the tasks, and those that no selector means.
fn manifests<'a>(
    tasks: &[&'a Task],
    inventory: &Inventory,
    taken: BTreeSet<String>,
    server: &str,
    namespace: Option<&str>,
) -> (Vec<(String, String)>, Vec<&'a Task>) {
    let (mut manifests, mut left_out) = (Vec::new(), Vec::new());
    for (task, object) in tasks.iter().zip(names::of(tasks, taken)) {
        match manifest::of(task, inventory, &object, server, namespace) {
            Some(text) => manifests.push((object, text)),
            None => left_out.push(*task),
        }
    }
    (manifests, left_out)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        manifest::tests::{inventory, task},
        *,
    };

    fn object(name: &str, server: &str, selector: &serde_json::Value) -> BackupTask {
        let spec = json!({ "serverRef": { "name": server }, "task": selector });
        BackupTask::new(name, serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn only_tasks_that_no_object_of_the_server_stands_for_are_taken_whatever_their_order() {
        let rows = vec![
            task(4, "Büro", Some("k4")),
            task(1, "by name", Some("k1")),
            task(3, "twice", Some("k3")),
            task(2, "by key", Some("k2")),
            task(5, "twice", Some("k5")),
        ];
        let objects = vec![
            object("one", "nas", &json!({ "name": "by name" })),
            object("another", "nas", &json!({ "name": "by name" })),
            object("two", "nas", &json!({ "uniqueKey": "k2" })),
            object("none", "nas", &json!({ "name": "twice" })),
            object("four", "other", &json!({ "id": 4 })),
            object("gone", "nas", &json!({ "id": 9 })),
        ];
        let taken: BTreeSet<String> = objects.iter().map(ResourceExt::name_any).collect();
        let printed = |rows: Vec<Task>| {
            let inventory = inventory(rows);
            let tasks = unmanaged(&objects, "nas", &inventory, None);
            let ids: Vec<i64> = tasks.iter().map(|task| task.id.0).collect();
            let (manifests, left_out) = manifests(&tasks, &inventory, taken.clone(), "nas", None);
            assert!(left_out.is_empty());
            (ids, manifests)
        };
        let (ids, manifests) = printed(rows.clone());
        assert_eq!(ids, [3, 4, 5]);
        let names: Vec<&str> = manifests.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["twice-3", "buero", "twice-5"]);
        let backwards: Vec<Task> = rows.into_iter().rev().collect();
        assert_eq!(printed(backwards), (ids, manifests));
    }
}
