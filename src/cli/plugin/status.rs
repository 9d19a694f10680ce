//! `status`: one screen of servers and tasks, once or live.

mod columns;
mod health;
mod render;
#[cfg(test)]
mod tests;
mod verdict;
mod watch;

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::Value;

use super::{
    Place,
    chosen::bare,
    objects::{Key, Scope, Seen, list, list_of, written},
};
use crate::{
    api::{BackupServer, BackupTask},
    cli::{Failure, call::print, screen::Screen},
    config::{Format, StatusArgs},
};
pub(super) use columns::state_word;
use render::{Look, Scene, render};

pub(super) async fn run(place: &Place, args: &StatusArgs) -> Result<(), Failure> {
    if args.watch && matches!(args.output, Some(Format::Json | Format::Yaml)) {
        return Err(Failure::usage(
            "--watch draws a screen: leave out --output, or use kubectl get backuptasks --watch --output json",
        ));
    }
    let look = Look {
        scope: if args.all_namespaces {
            Scope::All
        } else {
            Scope::Namespace(place.namespace.clone())
        },
        selector: args.selector.clone(),
        wide: args.output == Some(Format::Wide),
    };
    let names: Vec<String> = args.names.iter().map(|name| bare(name).to_owned()).collect();
    let scene = read(place, &look, &names).await?;
    let missing = missing(&scene, &look, &names);
    if args.watch {
        return match missing {
            Some(failure) => Err(failure),
            None => watch::run(place, &look, &names, scene).await,
        };
    }
    let text = match written(args.output, &list_of(&items(&scene)))? {
        Some(text) => text,
        // The failure below says all that there is to say.
        None if missing.is_some() && scene.tasks.is_empty() => String::new(),
        None => render(&scene, &look, Screen::stdout(), Timestamp::now()),
    };
    print(&text);
    missing.map_or(Ok(()), Err)
}

/// The same screen for objects that are in no cluster, or not in one alone.
pub(in crate::cli) fn screen_of(
    servers: Vec<BackupServer>,
    tasks: Vec<BackupTask>,
    screen: Screen,
) -> String {
    let namespace = servers
        .iter()
        .find_map(ResourceExt::namespace)
        .unwrap_or_default();
    let look = Look {
        scope: Scope::Namespace(namespace),
        selector: None,
        wide: false,
    };
    let servers = servers.into_iter().map(Seen::known).collect();
    let tasks = tasks.into_iter().map(Seen::known).collect();
    render(
        &chosen(servers, tasks, &look, &[]),
        &look,
        screen,
        Timestamp::now(),
    )
}

/// Reads what the screen shows. Network: two lists.
async fn read(place: &Place, look: &Look, names: &[String]) -> Result<Scene, Failure> {
    let scope = &look.scope;
    let selector = look.selector.as_deref();
    let (servers, tasks) = futures::try_join!(
        list::<BackupServer>(&place.client, scope, None),
        list::<BackupTask>(&place.client, scope, selector)
    )?;
    Ok(chosen(servers, tasks, look, names))
}

/// The objects that were asked for, in the order of namespace and name: with names or labels only the BackupTasks that have
/// them, and their servers.
fn chosen(
    mut servers: Vec<Seen<BackupServer>>,
    mut tasks: Vec<Seen<BackupTask>>,
    look: &Look,
    names: &[String],
) -> Scene {
    if !names.is_empty() || look.selector.is_some() {
        tasks.retain(|task| names.is_empty() || names.contains(&task.key.1));
        let theirs: BTreeSet<Key> = tasks.iter().map(server_of).collect();
        servers.retain(|server| theirs.contains(&server.key));
    }
    servers.sort_by(|one, other| one.key.cmp(&other.key));
    tasks.sort_by(|one, other| one.key.cmp(&other.key));
    Scene { servers, tasks }
}

/// The server of a task, also of one that this program cannot read.
fn server_of(task: &Seen<BackupTask>) -> Key {
    let name = task.raw["spec"]["serverRef"]["name"].as_str().unwrap_or_default();
    (task.key.0.clone(), name.to_owned())
}

/// Which names nobody has.
fn missing(scene: &Scene, look: &Look, names: &[String]) -> Option<Failure> {
    let has = |name: &&String| !scene.tasks.iter().any(|task| task.key.1 == **name);
    let missing: Vec<String> = names.iter().filter(has).map(|name| format!("{name:?}")).collect();
    (!missing.is_empty()).then(|| {
        Failure::new(format!(
            "there is no BackupTask {} {}: see kubectl get backuptasks --all-namespaces",
            missing.join(", "),
            look.scope.words()
        ))
    })
}

/// The objects in a fixed order: namespace, kind, name.
fn items(scene: &Scene) -> Vec<Value> {
    let servers = scene
        .servers
        .iter()
        .map(|seen| (&seen.key.0, 0, &seen.key.1, &seen.raw));
    let tasks = scene
        .tasks
        .iter()
        .map(|seen| (&seen.key.0, 1, &seen.key.1, &seen.raw));
    let mut all: Vec<_> = servers.chain(tasks).collect();
    all.sort_by_key(|(namespace, kind, name, _)| (*namespace, *kind, *name));
    all.into_iter().map(|(.., raw)| raw.clone()).collect()
}
