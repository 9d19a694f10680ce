//! One screen of servers and tasks: two tables, below them what is wrong, waits or is held back, and a line of counts.
//! Pure: objects, screen and time in, text out.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    columns::{server_table, task_table},
    health::{Health, Remedy, Verdict},
    verdict::{of_server, of_task},
};
use crate::{
    api::{BackupServer, BackupTask},
    cli::{
        plugin::{
            objects::{Key, Scope, Seen},
            words::no_room,
        },
        screen::{Screen, Tone, safe},
    },
};

/// So many names stand before a line that is about several objects.
const NAMES: usize = 5;

/// The objects of one screen.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Scene {
    pub servers: Vec<Seen<BackupServer>>,
    pub tasks: Vec<Seen<BackupTask>>,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Look {
    pub scope: Scope,
    /// Only BackupTasks with these labels.
    pub selector: Option<String>,
    /// Whether there are more columns.
    pub wide: bool,
}

/// Draws the screen.
pub(in crate::cli) fn render(scene: &Scene, look: &Look, screen: Screen, now: Timestamp) -> String {
    let servers: Vec<Judged<'_, BackupServer>> = scene
        .servers
        .iter()
        .map(|seen| judged(seen, |server| of_server(server, now)))
        .collect();
    let tasks: Vec<Judged<'_, BackupTask>> = scene
        .tasks
        .iter()
        .map(|seen| judged(seen, |task| of_task(task, now)))
        .collect();
    let mut parts = Vec::new();
    let mut left_out = Vec::new();
    if !servers.is_empty() {
        let (text, lacks) = server_table(&servers, look, screen);
        parts.push(text);
        left_out.extend(lacks);
    }
    if !tasks.is_empty() {
        let (text, lacks) = task_table(&tasks, look, screen, now);
        parts.push(text);
        left_out.extend(lacks);
    }
    let lines = lines(&servers, &tasks, look, screen);
    if !lines.is_empty() {
        parts.push(lines);
    }
    let mut last = screen.prose(&if tasks.is_empty() {
        hint(look, !servers.is_empty())
    } else {
        counts(&tasks, screen)
    });
    if look.wide {
        last.push_str(&no_room(screen, &left_out));
    }
    parts.push(last);
    parts.join("\n")
}

/// An object with what is to be said of it.
pub(super) struct Judged<'a, K> {
    pub key: &'a Key,
    /// `None` where it cannot be read.
    pub object: Option<&'a K>,
    pub verdict: Verdict,
}

fn judged<K>(seen: &Seen<K>, judge: impl Fn(&K) -> Verdict) -> Judged<'_, K> {
    let (object, verdict) = match &seen.object {
        Ok(object) => (Some(object), judge(object)),
        Err(error) => (None, Verdict::unreadable(&safe(error))),
    };
    Judged {
        key: &seen.key,
        object,
        verdict,
    }
}

/// A line below the tables, and of which objects of one namespace it is said.
struct Said<'a> {
    verdict: &'a Verdict,
    is_server: bool,
    keys: Vec<&'a Key>,
}

/// What is said below the tables: the worst first, and of one thing once, whoever it is about.
fn lines(
    servers: &[Judged<'_, BackupServer>],
    tasks: &[Judged<'_, BackupTask>],
    look: &Look,
    screen: Screen,
) -> String {
    let mut said: Vec<Said<'_>> = Vec::new();
    let of_servers = servers.iter().map(|row| (&row.verdict, row.key, true));
    let of_tasks = tasks.iter().map(|row| (&row.verdict, row.key, false));
    for (verdict, key, is_server) in of_servers.chain(of_tasks) {
        if verdict.is_plain() {
            continue;
        }
        let is_same =
            |it: &&mut Said<'_>| it.is_server == is_server && it.keys[0].0 == key.0 && it.verdict == verdict;
        match said.iter_mut().find(is_same) {
            Some(it) => it.keys.push(key),
            None => said.push(Said {
                verdict,
                is_server,
                keys: vec![key],
            }),
        }
    }
    said.sort_by_key(|it| (urgency(it.verdict.health), !it.is_server));
    let mut text = String::new();
    let mut advised = BTreeSet::new();
    for Said {
        verdict,
        is_server,
        keys,
    } in &said
    {
        let (tone, mark) = (verdict.health.tone(), verdict.health.mark());
        let what = if *is_server { "server " } else { "" };
        let line = format!(
            "{what}{}: {}: {}",
            listed(keys, look),
            verdict.reason,
            safe(&verdict.message)
        );
        text.push_str(&screen.paragraph(tone, mark, &line));
        // Tasks of a server that is out of reach wait for what is said of the server.
        let is_known =
            matches!(verdict.remedy, Remedy::Doctor(_)) && !advised.insert((&keys[0].0, &verdict.remedy));
        if let Some(remedy) = remedy(&verdict.remedy, keys, *is_server, look).filter(|_| !is_known) {
            text.push_str(&screen.paragraph(Tone::Faint, "", &remedy));
        }
    }
    text
}

/// What has to be seen first.
fn urgency(health: Health) -> u8 {
    match health {
        Health::Stalled => 0,
        Health::Failed => 1,
        Health::Unknown => 2,
        Health::Canceled => 3,
        Health::Waiting | Health::Running => 4,
        Health::Held => 5,
        Health::Fine => 6,
    }
}

fn listed(keys: &[&Key], look: &Look) -> String {
    let name = |key: &&Key| match look.scope {
        Scope::All => format!("{}/{}", key.0, key.1),
        Scope::Namespace(_) => key.1.clone(),
    };
    let names: Vec<String> = keys.iter().take(NAMES).map(name).collect();
    match keys.len().saturating_sub(NAMES) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn remedy(remedy: &Remedy, keys: &[&Key], is_server: bool, look: &Look) -> Option<String> {
    let (namespace, name) = keys.first()?;
    // A command is to work as it stands.
    let place = match look.scope {
        Scope::All => format!(" -n {namespace}"),
        Scope::Namespace(_) => String::new(),
    };
    let names: Vec<&str> = keys.iter().map(|key| key.1.as_str()).collect();
    let names = names.join(" ");
    Some(match remedy {
        Remedy::Said => return None,
        Remedy::Doctor(server) => format!("see: kubectl abb doctor {server}{place}"),
        Remedy::Tasks(server) => format!("see: kubectl abb tasks {server}{place}"),
        Remedy::Resume => format!("kubectl abb resume {names}{place}"),
        Remedy::History => format!("see the console of the NAS, and: kubectl abb history {name}{place}"),
        Remedy::Backup => format!("kubectl abb backup {names}{place}"),
        Remedy::Read => {
            let kind = if is_server { "backupserver" } else { "backuptask" };
            format!("see: kubectl get {kind} {name}{place} -o yaml")
        }
        Remedy::Do(what) => (*what).to_owned(),
    })
}

fn counts(tasks: &[Judged<'_, BackupTask>], screen: Screen) -> String {
    let of = |health: Health| tasks.iter().filter(|row| row.verdict.health == health).count();
    let parts: Vec<String> = Health::ALL
        .into_iter()
        .map(|health| (health, of(health)))
        .filter(|(_, count)| *count > 0)
        .map(|(health, count)| screen.paint(health.tone(), &format!("{count} {}", health.word())))
        .collect();
    let many = if tasks.len() == 1 { "task" } else { "tasks" };
    format!("{} {many}: {}", tasks.len(), parts.join(", "))
}

/// What to do where there is nothing to show.
fn hint(look: &Look, has_servers: bool) -> String {
    let place = look.scope.words();
    if let Some(selector) = &look.selector {
        return format!(
            "no BackupTask {place} has the labels {selector}: see kubectl get backuptasks --show-labels"
        );
    }
    let elsewhere = match look.scope {
        Scope::Namespace(_) => "; elsewhere: kubectl abb status -A",
        Scope::All => "",
    };
    if has_servers {
        return format!(
            "no BackupTask {place}: kubectl abb import SERVER prints them for the tasks of a NAS{elsewhere}"
        );
    }
    format!(
        "no BackupServer and no BackupTask {place}: declare a NAS first, as in docs/examples/first-backup.yaml{elsewhere}"
    )
}
