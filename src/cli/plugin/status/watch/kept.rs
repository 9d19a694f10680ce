//! What the watches have brought so far, and whether it can be relied on. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{Resource, api::DynamicObject, runtime::watcher::Event};
use serde::de::DeserializeOwned;

use super::{super::render::Scene, Lost, News};
use crate::{
    api::{BackupServer, BackupTask, status_time},
    cli::plugin::objects::{Key, Seen, key_of},
};

/// Both kinds, and since when nothing is heard of them.
pub(super) struct Kept {
    servers: Kind<BackupServer>,
    tasks: Kind<BackupTask>,
    lost: Option<Lost>,
}

/// The objects of one kind.
struct Kind<K> {
    objects: BTreeMap<Key, Seen<K>>,
    /// A list that is under way; it takes the place of all that is known once it is complete.
    coming: Option<BTreeMap<Key, Seen<K>>>,
    /// Whether there was a complete list since the API server was lost last.
    is_listed: bool,
}

impl Kept {
    pub fn new(scene: &Scene) -> Self {
        Self {
            servers: Kind::new(&scene.servers),
            tasks: Kind::new(&scene.tasks),
            lost: None,
        }
    }

    /// Since when nothing is heard of the API server.
    pub fn lost(&self) -> Option<&Lost> {
        self.lost.as_ref()
    }

    pub fn objects(&self) -> (Vec<Seen<BackupServer>>, Vec<Seen<BackupTask>>) {
        (self.servers.all(), self.tasks.all())
    }

    /// What is known may be old from now on, until both kinds were listed again.
    pub fn lose(&mut self, why: String, now: Timestamp) {
        let since = self.lost.as_ref().map_or(status_time(now).0, |lost| lost.since);
        self.lost = Some(Lost { since, why });
        self.servers.is_listed = false;
        self.tasks.is_listed = false;
    }

    pub fn take(&mut self, news: News, now: Timestamp) {
        match news {
            News::Server(event) => self.servers.take(event),
            News::Task(event) => self.tasks.take(event),
            News::Lost(why) => self.lose(why, now),
        }
        if self.servers.is_listed && self.tasks.is_listed {
            self.lost = None;
        }
    }
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned + Clone> Kind<K> {
    fn new(seen: &[Seen<K>]) -> Self {
        Self {
            objects: seen.iter().map(|seen| (seen.key.clone(), seen.clone())).collect(),
            coming: None,
            is_listed: false,
        }
    }

    fn all(&self) -> Vec<Seen<K>> {
        self.objects.values().cloned().collect()
    }

    fn take(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.coming = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                let seen = Seen::of(object);
                self.coming.get_or_insert_default().insert(seen.key.clone(), seen);
            }
            Event::InitDone => {
                self.objects = self.coming.take().unwrap_or_default();
                self.is_listed = true;
            }
            Event::Apply(object) => {
                let seen = Seen::of(object);
                self.objects.insert(seen.key.clone(), seen);
            }
            Event::Delete(object) => {
                self.objects.remove(&key_of(&object));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> DynamicObject {
        let object = serde_json::json!({ "metadata": { "namespace": "backup", "name": name } });
        serde_json::from_value(object).unwrap()
    }

    fn names(kept: &Kept) -> Vec<String> {
        kept.objects().1.into_iter().map(|seen| seen.key.1).collect()
    }

    #[test]
    fn a_list_takes_the_place_of_what_was_known_once_it_is_complete() {
        let now = Timestamp::UNIX_EPOCH;
        let mut kept = Kept::new(&Scene::default());
        for event in [
            Event::Apply(object("old")),
            Event::Apply(object("gone")),
            Event::Delete(object("gone")),
            Event::Init,
            Event::InitApply(object("new")),
        ] {
            kept.take(News::Task(event), now);
        }
        assert_eq!(names(&kept), ["old"]);
        kept.take(News::Task(Event::InitDone), now);
        assert_eq!(names(&kept), ["new"]);
    }

    #[test]
    fn it_is_lost_until_both_kinds_were_listed_again() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut kept = Kept::new(&Scene::default());
        let listed = |kept: &mut Kept, news: fn(Event<DynamicObject>) -> News, second| {
            kept.take(news(Event::Init), at(second));
            kept.take(news(Event::InitDone), at(second));
        };
        listed(&mut kept, News::Server, 1);
        listed(&mut kept, News::Task, 1);
        kept.take(News::Lost("refused".to_owned()), at(2));
        kept.lose("no answer".to_owned(), at(5));
        let lost = kept.lost().unwrap();
        assert_eq!((lost.since, lost.why.as_str()), (at(2), "no answer"));
        // A change alone says nothing of the other kind.
        kept.take(News::Task(Event::Apply(object("new"))), at(6));
        listed(&mut kept, News::Task, 7);
        assert!(kept.lost().is_some());
        listed(&mut kept, News::Server, 8);
        assert!(kept.lost().is_none());
        assert!(names(&kept).is_empty());
    }
}
