//! `tasks`: what the NAS has, asked now with the server's own Secret, and which BackupTasks stand for it.

mod inventory;
mod render;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    Place,
    objects::{Scope, Seen, list, written},
};
use crate::{
    api::{BackupServer, BackupTask},
    cli::{Failure, call::print, screen::Screen},
    clock::Clock,
    config::Format,
    controller::client_of,
    nas::{Client, ListTasks, explain},
    observe::{Inventory, read_inventory},
};
use inventory::{Listed, listed};

pub(super) async fn run(place: &Place, name: &str, output: Option<Format>) -> Result<(), Failure> {
    let server = place.server(name).await?;
    let scope = Scope::Namespace(place.namespace.clone());
    let objects = list::<BackupTask>(&place.client, &scope, None).await?;
    let client = client_of(&place.kubernetes, &server, Clock::system())
        .await
        .map_err(|problem| Failure::new(problem.message))?;
    let read = read(&client, output.is_some()).await;
    client.logout().await;
    let (inventory, serial) = read?;
    let listed = list_tasks(&server, objects, &inventory, serial);
    let text = match written(output, &listed)? {
        Some(text) => text,
        None => render::render(
            &listed,
            output == Some(Format::Wide),
            Screen::stdout(),
            Timestamp::now(),
        ),
    };
    print(&text);
    Ok(())
}

/// Asks the NAS for its tasks, its queue and who it is; for versions, which take it longest, only where they are shown.
/// Network.
async fn read(client: &Client, with_versions: bool) -> Result<(Inventory, Option<String>), Failure> {
    let failed = |error| Failure::new(explain(&client.address(), &error));
    let mut inventory = read_inventory(client, true).await.map_err(failed)?;
    if with_versions {
        let query = ListTasks {
            load_versions: true,
            ..ListTasks::default()
        };
        let counted = client.list_tasks(&query).await.map_err(failed)?.value.tasks;
        for task in &mut inventory.tasks {
            let same = counted.iter().find(|counted| counted.id == task.id);
            let count = same.and_then(|same| {
                same.version_count
                    .or_else(|| i64::try_from(same.versions.as_ref()?.len()).ok())
            });
            task.version_count = task.version_count.or(count);
        }
    }
    let serial = match client.dsm_info().await {
        Ok(read) => read.value.serial,
        Err(error) if error.is_unavailable() => None,
        Err(error) => return Err(failed(error)),
    };
    Ok((inventory, serial))
}

/// The tasks of the NAS with the BackupTasks of its server.
fn list_tasks(
    server: &BackupServer,
    objects: Vec<Seen<BackupTask>>,
    inventory: &Inventory,
    serial: Option<String>,
) -> Listed {
    let known = server.status.as_ref().and_then(|status| status.dsm.as_ref());
    let serial = serial.or_else(|| known.and_then(|dsm| dsm.serial.clone()));
    let name = server.name_any();
    let is_theirs = |seen: &Seen<BackupTask>| seen.raw["spec"]["serverRef"]["name"] == name.as_str();
    let (mut tasks, mut unreadable) = (Vec::new(), Vec::new());
    for seen in objects.into_iter().filter(is_theirs) {
        match seen.object {
            Ok(task) => tasks.push(task),
            Err(_) => unreadable.push(seen.key.1),
        }
    }
    listed(&name, &tasks, unreadable, inventory, serial)
}
