//! Names of objects from names of tasks: lower case letters, digits and `-`, unique, and the same each time. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::nas::{Task, TaskId};

/// A label's length: such a name can be a label's value and part of a host name, too.
const LONGEST: usize = 63;
/// In a folder the manifest of that name would be the kustomization.
const RESERVED: &str = "kustomization";

/// The names of the objects for these tasks, none of them among `taken`. Where several would have the same each has its
/// task's number, so that none depends on the order.
pub(super) fn of(tasks: &[&Task], mut taken: BTreeSet<String>) -> Vec<String> {
    taken.insert(RESERVED.to_owned());
    let plain: Vec<String> = tasks.iter().map(|task| plain(task)).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &plain {
        *counts.entry(name).or_default() += 1;
    }
    let is_own = |name: &String| counts.get(name.as_str()) == Some(&1) && !taken.contains(name);
    let own: BTreeSet<&String> = plain.iter().filter(|name| is_own(name)).collect();
    let mut used: BTreeSet<String> = own
        .iter()
        .map(|name| (*name).clone())
        .chain(taken.iter().cloned())
        .collect();
    let mut names = Vec::new();
    for (task, name) in tasks.iter().zip(&plain) {
        if own.contains(name) {
            names.push(name.clone());
            continue;
        }
        let suffixed = suffixed(name, task.id, &used);
        used.insert(suffixed.clone());
        names.push(suffixed);
    }
    names
}

fn plain(task: &Task) -> String {
    let mut name = String::new();
    for letter in task.name.chars() {
        match spelled(letter) {
            Some(spelled) => name.push_str(&spelled),
            None if name.is_empty() || name.ends_with('-') => {}
            None => name.push('-'),
        }
    }
    let name = cut(&name, LONGEST);
    if name.is_empty() {
        format!("task-{}", task.id)
    } else {
        name.to_owned()
    }
}

/// A letter as it can stand in a name. Those of Western Europe lose their signs; others have no spelling that all agree on.
fn spelled(letter: char) -> Option<String> {
    let lower: String = letter.to_lowercase().collect();
    let plain = match lower.as_str() {
        "à" | "á" | "â" | "ã" | "å" => "a",
        "ä" | "æ" => "ae",
        "ç" => "c",
        "è" | "é" | "ê" | "ë" => "e",
        "ì" | "í" | "î" | "ï" => "i",
        "ñ" => "n",
        "ò" | "ó" | "ô" | "õ" | "ø" => "o",
        "ö" | "œ" => "oe",
        "ß" => "ss",
        "ù" | "ú" | "û" => "u",
        "ü" => "ue",
        "ý" | "ÿ" => "y",
        other => other,
    };
    plain
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric())
        .then(|| plain.to_owned())
}

/// At most so long, and with a letter or digit at its end.
fn cut(name: &str, longest: usize) -> &str {
    name[..name.len().min(longest)].trim_end_matches('-')
}

fn suffixed(name: &str, id: TaskId, used: &BTreeSet<String>) -> String {
    let mut suffix = format!("-{}", id.0.unsigned_abs());
    loop {
        let name = format!("{}{suffix}", cut(name, LONGEST - suffix.len()));
        if !used.contains(&name) {
            return name;
        }
        suffix.push_str("-x");
    }
}

#[cfg(test)]
mod tests {
    use super::{super::manifest::tests::task, *};

    fn names(rows: &[(i64, &str)], taken: &[&str]) -> Vec<String> {
        let tasks: Vec<Task> = rows.iter().map(|(id, name)| task(*id, name, None)).collect();
        of(
            &tasks.iter().collect::<Vec<_>>(),
            taken.iter().map(|name| (*name).to_owned()).collect(),
        )
    }

    #[test]
    fn a_name_is_one_that_kubernetes_takes() {
        let long = "n".repeat(80);
        for (name, expected) in [
            ("peterm-Default", "peterm-default"),
            ("Büro PC (alt)", "buero-pc-alt"),
            ("  --Straße_12.nas--  ", "strasse-12-nas"),
            ("2024", "2024"),
            ("ノートPC", "pc"),
            ("ノート", "task-7"),
            ("", "task-7"),
            ("\n---\nkind: Secret", "kind-secret"),
            (&long, &long[..63]),
            (&format!("{}-{}", &long[..62], "x"), &long[..62]),
            ("kustomization", "kustomization-7"),
        ] {
            let found = names(&[(7, name)], &[]);
            assert_eq!(found, [expected], "{name:?}");
            assert!(found[0].len() <= LONGEST);
        }
    }

    #[test]
    fn what_would_have_the_same_name_has_its_number() {
        let rows = [(3, "PC"), (5, "pc"), (8, "pc-3"), (9, "Server")];
        assert_eq!(names(&rows, &["server"]), ["pc-3-x", "pc-5", "pc-3", "server-9"]);
        let backwards: Vec<(i64, &str)> = rows.iter().rev().copied().collect();
        let mut reversed = names(&backwards, &["server"]);
        reversed.reverse();
        assert_eq!(reversed, names(&rows, &["server"]));
        let long = "n".repeat(70);
        let both = names(&[(1, &long), (12, &long)], &[]);
        assert_eq!(
            both,
            [format!("{}-1", &long[..61]), format!("{}-12", &long[..60])]
        );
    }
}
