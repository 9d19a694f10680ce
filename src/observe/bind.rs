//! Which NAS task an object means, and who may act for it. Identity is the `uniqueKey` once bound: names are
//! changed and numbers reused, and a backup or removal of the wrong task is worse than none.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::Inventory;
use crate::{
    api::{ANNOTATION_REBIND, BackupTask, Binding, TaskSelector},
    nas::{Task, TaskId},
};

/// The NAS task an object means.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound<'a> {
    /// No inventory to look in, or one that is incomplete and does not show it.
    Unread,
    /// Exactly this one.
    To(&'a Task),
    /// None.
    Missing,
    /// Several of that name.
    Ambiguous(usize),
    /// The bound one is gone; another stands under its name or number, or another NAS under its address.
    Replaced {
        /// Its `uniqueKey`, empty where it has none.
        by: String,
    },
}

/// Whether the object may act for its task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// Name of the older object that acts instead.
    pub owner: Option<String>,
    /// Name of another living object that means the same task.
    pub other: Option<String>,
}

/// Finds the task an object means.
#[must_use]
pub fn bind<'a>(task: &BackupTask, inventory: Option<&'a Inventory>, serial: Option<&str>) -> Bound<'a> {
    let Some(inventory) = inventory else {
        return Bound::Unread;
    };
    if is_removed(task) {
        return Bound::Missing;
    }
    let matches = select(&task.spec.task, inventory);
    let Some(binding) = standing_binding(task) else {
        // On what was not listed another task of that name may stand.
        let is_certain = inventory.complete || task.spec.task.name.is_none();
        return match only(&matches) {
            Bound::To(_) if !is_certain => Bound::Unread,
            bound => listed(bound, inventory),
        };
    };
    let key = binding.unique_key.as_deref();
    let with_key = |key: &str| -> Vec<&Task> {
        let is_meant = |task: &&Task| key_of(task) == Some(key);
        inventory.tasks.iter().filter(is_meant).collect()
    };
    let other_nas = serial.filter(|new| binding.nas_serial.as_deref().is_some_and(|old| old != *new));
    // Naming another key is a decision for that task, on whatever NAS it stands. It is made once: while the bound task
    // is there, an annotation left behind says nothing.
    let is_lost = other_nas.is_some() || key.is_none_or(|key| with_key(key).is_empty());
    let named = task.annotations().get(ANNOTATION_REBIND).map(String::as_str);
    let named = named.filter(|named| is_lost && key != Some(named));
    if let Some([found]) = named.map(with_key).as_deref() {
        return Bound::To(found);
    }
    if let Some(new) = other_nas {
        return Bound::Replaced {
            by: format!("serial {new}"),
        };
    }
    let Some(key) = key else {
        return listed(only(&matches), inventory);
    };
    let bound = match (with_key(key).as_slice(), matches.first()) {
        ([found], _) => Bound::To(found),
        ([], Some(other)) if matches.len() == 1 => Bound::Replaced {
            by: key_of(other).unwrap_or("").to_owned(),
        },
        ([], _) => Bound::Missing,
        (several, _) => Bound::Ambiguous(several.len()),
    };
    listed(bound, inventory)
}

/// A list with rows missing or unreadable shows nobody's absence.
fn listed<'a>(bound: Bound<'a>, inventory: &Inventory) -> Bound<'a> {
    match bound {
        Bound::Missing | Bound::Replaced { .. } if !inventory.complete => Bound::Unread,
        bound => bound,
    }
}

/// The binding that still counts: of this `spec.task`, and not of a task that was removed.
fn standing_binding(task: &BackupTask) -> Option<&Binding> {
    let binding = task.status.as_ref()?.binding.as_ref()?;
    (binding.selector == task.spec.task && binding.removed_by.is_none()).then_some(binding)
}

fn only<'a>(matches: &[&'a Task]) -> Bound<'a> {
    match matches {
        [] => Bound::Missing,
        [one] => Bound::To(one),
        several => Bound::Ambiguous(several.len()),
    }
}

fn select<'a>(selector: &TaskSelector, inventory: &'a Inventory) -> Vec<&'a Task> {
    let TaskSelector { name, id, unique_key } = selector;
    let wanted = |task: &&Task| match (unique_key, id, name) {
        (Some(key), _, _) => key_of(task) == Some(key),
        (None, Some(id), _) => task.id == TaskId(*id),
        (None, None, Some(name)) => task.name == *name,
        (None, None, None) => false,
    };
    inventory.tasks.iter().filter(wanted).collect()
}

fn key_of(task: &Task) -> Option<&str> {
    task.unique_key.as_ref().map(crate::nas::UniqueKey::as_str)
}

/// Who may act for each task: the oldest object, ties by UID (contract, "One NAS task has one owner"). One that is being
/// deleted comes last, once no call of it is open: after a rename in Git its successor acts, while the old object is held.
#[must_use]
pub fn claims(bound: &[(&BackupTask, Bound<'_>)]) -> Vec<Claim> {
    let mut by_task: BTreeMap<TaskId, Vec<&BackupTask>> = BTreeMap::new();
    for (object, binding) in bound {
        if let Bound::To(task) = binding
            && !is_removed(object)
        {
            by_task.entry(task.id).or_default().push(object);
        }
    }
    let age = |object: &BackupTask| {
        let created = object.creation_timestamp().map(|time| time.0);
        let is_over = object
            .status
            .as_ref()
            .is_none_or(|status| status.intent.is_none());
        (object.is_deleted() && is_over, created, object.uid())
    };
    bound
        .iter()
        .map(|(object, binding)| {
            let Bound::To(task) = binding else {
                return Claim::default();
            };
            let rivals = by_task.get(&task.id).map_or(&[][..], Vec::as_slice);
            let others = || rivals.iter().filter(|other| other.uid() != object.uid());
            Claim {
                owner: others()
                    .filter(|other| age(other) < age(object))
                    .min_by_key(|o| age(o))
                    .map(|o| o.name_any()),
                other: others()
                    .find(|other| other.metadata.deletion_timestamp.is_none())
                    .map(|o| o.name_any()),
            }
        })
        .collect()
}

/// Whether the object's task was removed as it asked; such an object binds nothing.
fn is_removed(object: &BackupTask) -> bool {
    let status = object.status.as_ref();
    let binding = status.and_then(|status| status.binding.as_ref());
    binding.is_some_and(|b| b.removed_by == Some(object.spec.removal.when) && b.selector == object.spec.task)
}
