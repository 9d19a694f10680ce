//! `decide` is pure: what it may not know is not named in its files.

use std::{fs, path::Path};

const FORBIDDEN: &[&str] = &[
    "tokio",
    "reqwest",
    "hyper",
    "tracing",
    "kube::Client",
    "Timestamp::now",
    "SystemTime",
    "Instant",
    "rand::",
    "Uuid::new",
    "async fn",
    "std::env",
    "std::fs",
];

#[test]
fn no_file_of_decide_names_a_client_a_clock_or_chance() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/decide");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&path).unwrap();
        for word in FORBIDDEN {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
    assert!(seen >= 8, "only {seen} files were looked at");
}
