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
    let listed = list_tasks(&server, objects, read?);
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

/// What the NAS told.
struct Told {
    inventory: Inventory,
    serial: Option<String>,
    versions_unread: bool,
}

/// Asks the NAS for its tasks, its queue and who it is; for versions, which take it longest, only where they are shown.
/// Network.
async fn read(client: &Client, with_versions: bool) -> Result<Told, Failure> {
    let mut inventory = read_inventory(client, true)
        .await
        .map_err(|error| Failure::new(explain(&client.address(), &error)))?;
    let versions_unread = with_versions && !count_versions(client, &mut inventory).await;
    let told = client.dsm_info().await;
    Ok(Told {
        inventory,
        // An account may be kept from asking; the operator's word counts then.
        serial: told.ok().and_then(|read| read.value.serial),
        versions_unread,
    })
}

/// Adds the numbers of versions; whether they could be read. Network.
async fn count_versions(client: &Client, inventory: &mut Inventory) -> bool {
    let query = ListTasks {
        load_versions: true,
        ..ListTasks::default()
    };
    let Ok(read) = client.list_tasks(&query).await else {
        return false;
    };
    for task in &mut inventory.tasks {
        let same = read.value.tasks.iter().find(|counted| counted.id == task.id);
        task.version_count = same.and_then(|same| {
            let listed = || i64::try_from(same.versions.as_ref()?.len()).ok();
            same.version_count.or_else(listed)
        });
    }
    true
}

/// The tasks of the NAS with the BackupTasks of its server.
fn list_tasks(server: &BackupServer, objects: Vec<Seen<BackupTask>>, told: Told) -> Listed {
    let Told {
        inventory,
        serial,
        versions_unread,
    } = told;
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
    listed(&name, &tasks, unreadable, &inventory, serial, versions_unread)
}
