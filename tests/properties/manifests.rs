//! Manifests after a few mistakes: whatever a file holds, it is read to its end and every fault has a line of it; what is
//! accepted stays so; JSON and YAML of one object are judged alike.

use std::{fs, path::PathBuf};

use abb_operator::manifest::{Fault, Manifests, load};
use proptest::prelude::*;
use serde_json::Value;

use super::{oracles::mutate::mutate, scripts};

/// What a slip of the hand leaves behind, and what YAML makes much of.
const PIECES: [&str; 32] = [
    "\n",
    "\t",
    " ",
    "  ",
    ":",
    ": ",
    "- ",
    "\n- ",
    "\n---\n",
    "\n...\n",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "!x ",
    "!!int ",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    "? ",
    "| ",
    ">\n",
    "%YAML 1.2\n",
    "\u{feff}",
    "\r\n",
    "\u{0}",
    "ü",
    "\\u0000",
];

fn texts() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/manifests/corpus");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    // A few documents each, so that a mistake in one meets others.
    texts
        .flat_map(|text| {
            let documents: Vec<&str> = text.split("\n---\n").collect();
            documents
                .chunks(3)
                .map(|few| few.join("\n---\n"))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn objects() -> Vec<Value> {
    let texts = texts();
    let documents = texts.iter().flat_map(|text| text.split("\n---\n"));
    let read = documents.filter_map(|text| serde_saphyr::from_str::<Value>(text).ok());
    read.filter(Value::is_object).collect()
}

/// A text with pieces put in, and parts taken out or put twice.
fn damaged() -> impl Strategy<Value = String> {
    let step = (
        any::<prop::sample::Index>(),
        prop::sample::select(&PIECES[..]),
        any::<u8>(),
    );
    (prop::sample::select(texts()), prop::collection::vec(step, 0..6)).prop_map(|(mut text, steps)| {
        for (place, piece, kind) in steps {
            let mut at = place.index(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
            match kind % 8 {
                0 => text.truncate(at),
                1 => text.replace_range(at..end, ""),
                2 => {
                    let again = text[at..end].to_owned();
                    text.insert_str(end, &again);
                }
                _ => text.insert_str(at, piece),
            }
        }
        text
    })
}

fn read(name: &str, text: &str) -> Result<Manifests, Vec<Fault>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    load(&[path], "default")
}

/// What is said, without where.
fn said(faults: &[Fault]) -> Vec<(String, String, String)> {
    let mut said: Vec<_> = faults
        .iter()
        .map(|fault| (fault.object.clone(), fault.field.clone(), fault.message.clone()))
        .collect();
    said.sort();
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_is_read_to_its_end(text in damaged()) {
        let lines = text.lines().count() + 1;
        if let Err(faults) = read("a.yaml", &text) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                prop_assert!((1..=lines).contains(&fault.place.line), "{fault}\n{text}");
                prop_assert!(!fault.to_string().contains('\n'), "{fault}");
            }
        }
    }

    #[test]
    fn a_broken_document_hides_no_other_one(text in damaged()) {
        // A directive belongs to the document after it.
        prop_assume!(!text.contains('%'));
        let last = "apiVersion: activebackup.dev/v1alpha1\nkind: BackupTask\nmetadata: {name: the-last}\nspec: 7\n";
        let Err(faults) = read("a.yaml", &format!("{text}\n---\n{last}")) else { panic!("nothing is wrong") };
        let is_found = faults.iter().any(|fault| fault.object == "BackupTask \"the-last\"" && fault.field == "spec");
        prop_assert!(is_found, "{faults:?}");
    }

    #[test]
    fn json_and_yaml_are_judged_alike(mut object in prop::sample::select(objects()), script in scripts(4)) {
        mutate(&mut object, &script);
        let json = read("a.json", &serde_json::to_string_pretty(&object).unwrap());
        let yaml = read("a.yaml", &serde_saphyr::to_string(&object).unwrap());
        match (json, yaml) {
            (Ok(json), Ok(yaml)) => {
                prop_assert_eq!((json.servers.len(), json.tasks.len()), (yaml.servers.len(), yaml.tasks.len()));
                for (json, yaml) in json.tasks.iter().zip(&yaml.tasks) {
                    prop_assert_eq!(json.document(), yaml.document());
                    // What is kept is right by itself, and stays what it is.
                    let again = read("a.json", &json.document().to_string()).unwrap();
                    prop_assert_eq!(json.document(), again.tasks[0].document());
                }
            }
            (Err(json), Err(yaml)) => prop_assert_eq!(said(&json), said(&yaml)),
            (json, yaml) => prop_assert!(false, "{json:?}\n{yaml:?}"),
        }
    }
}
