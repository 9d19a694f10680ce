//! The live view where nothing can be redrawn, a file or a pipe: the screen once, then a line for each change.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use jiff::Timestamp;

use super::{
    super::{
        columns::state_word,
        health::{Health, Verdict},
        render::{Look, Scene, render},
        verdict::{of_server, of_task},
    },
    Lost,
};
use crate::{
    api::status_time,
    cli::{
        plugin::objects::{Key, Scope},
        screen::{Screen, safe},
    },
};

/// What was written last of each object, servers before tasks; `None` before the first picture.
#[derive(Debug, Default)]
pub(super) struct Lines {
    said: Option<BTreeMap<(u8, Key), String>>,
    is_lost: bool,
}

impl Lines {
    pub fn show(
        &mut self,
        scene: &Scene,
        look: &Look,
        lost: Option<&Lost>,
        now: Timestamp,
    ) -> io::Result<()> {
        let facts = facts(scene, now);
        let mut text = match &self.said {
            None => render(scene, look, Screen::stdout(), now),
            Some(before) => changes(before, &facts, look, now),
        };
        let stamp = status_time(now).0;
        text.extend(match lost {
            Some(lost) if !self.is_lost => Some(format!("{stamp}  disconnected: {}\n", lost.why)),
            None if self.is_lost => Some(format!("{stamp}  connected again\n")),
            Some(_) | None => None,
        });
        self.is_lost = lost.is_some();
        self.said = Some(facts);
        if text.is_empty() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// What is said of each object, without what changes by itself.
fn facts(scene: &Scene, now: Timestamp) -> BTreeMap<(u8, Key), String> {
    let verdict_words = |verdict: &Verdict| match verdict.health {
        Health::Fine => format!("ready {}", verdict.ready),
        _ => format!(
            "ready {}, {}: {}",
            verdict.ready,
            verdict.reason,
            safe(&verdict.message)
        ),
    };
    let mut facts = BTreeMap::new();
    for seen in &scene.servers {
        let verdict = match &seen.object {
            Ok(server) => of_server(server, now),
            Err(error) => Verdict::unreadable(error),
        };
        facts.insert((0, seen.key.clone()), verdict_words(&verdict));
    }
    for seen in &scene.tasks {
        let fact = match &seen.object {
            Ok(task) => {
                let status = task.status.as_ref();
                let state = status.map_or_else(|| "Unknown".to_owned(), state_word);
                let last = status.and_then(|status| status.last_result.as_ref());
                let last = last.map_or_else(
                    || "no result yet".to_owned(),
                    |last| format!("last {} ({})", last.status.as_str(), last.result_id),
                );
                format!("{state}, {last}, {}", verdict_words(&of_task(task, now)))
            }
            Err(error) => verdict_words(&Verdict::unreadable(error)),
        };
        facts.insert((1, seen.key.clone()), fact);
    }
    facts
}

fn changes(
    before: &BTreeMap<(u8, Key), String>,
    after: &BTreeMap<(u8, Key), String>,
    look: &Look,
    now: Timestamp,
) -> String {
    let stamp = status_time(now).0;
    let name = |(kind, (namespace, name)): &(u8, Key)| {
        let kind = if *kind == 0 { "server " } else { "" };
        match look.scope {
            Scope::All => format!("{kind}{namespace}/{name}"),
            Scope::Namespace(_) => format!("{kind}{name}"),
        }
    };
    let gone = before
        .keys()
        .filter(|key| !after.contains_key(*key))
        .map(|key| format!("{stamp}  {}: gone\n", name(key)));
    let changed = after
        .iter()
        .filter(|(key, fact)| before.get(*key) != Some(fact))
        .map(|(key, fact)| format!("{stamp}  {}: {fact}\n", name(key)));
    gone.chain(changed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_a_line_and_nothing_else_is() {
        let key = |kind, name: &str| (kind, ("backup".to_owned(), name.to_owned()));
        let before = BTreeMap::from([
            (key(0, "nas"), "ready True".to_owned()),
            (key(1, "gone"), "Idle".to_owned()),
            (key(1, "same"), "Idle".to_owned()),
            (key(1, "other"), "Idle".to_owned()),
        ]);
        let mut after = before.clone();
        after.remove(&key(1, "gone"));
        after.insert(key(0, "nas"), "ready False".to_owned());
        after.insert(key(1, "other"), "Running 4%".to_owned());
        let now = Timestamp::UNIX_EPOCH;
        let mut look = Look {
            scope: Scope::Namespace("backup".to_owned()),
            selector: None,
            wide: false,
        };
        let stamp = "1970-01-01T00:00:00Z  ";
        assert_eq!(
            changes(&before, &after, &look, now),
            format!("{stamp}gone: gone\n{stamp}server nas: ready False\n{stamp}other: Running 4%\n")
        );
        assert_eq!(changes(&after, &after, &look, now), "");
        look.scope = Scope::All;
        assert!(changes(&before, &after, &look, now).contains("server backup/nas: ready False"));
    }
}
