//! `kubectl abb doctor` in broken set-ups: each is a sentence with the lines that are not ok, and no others may be. The
//! files below hold one place of the fault each; here is how a set-up is judged.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

mod front;
mod nas;
mod operator;
mod user;

/// One line: its word, what was looked at, and parts of its text.
type Line = (&'static str, &'static str, &'static [&'static str]);

/// What doctor said.
struct Said {
    code: Option<i32>,
    text: String,
}

/// Runs doctor in the namespace of a kubeconfig.
async fn doctor(kubeconfig: &Path, arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-abb"))
        .arg("doctor")
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    Said {
        code: output.status.code(),
        text: String::from_utf8(text).unwrap(),
    }
}

impl Said {
    /// The lines that call for somebody, as word, what and text.
    fn faults(&self) -> Vec<(&str, &str, &str)> {
        self.lines()
            .filter(|(word, _, _)| ["warn", "fail"].contains(word))
            .collect()
    }

    fn lines(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.text.lines().filter_map(|line| {
            let (word, rest) = line.split_once(' ')?;
            let (what, text) = rest.split_once(": ")?;
            Some((word, what.trim(), text))
        })
    }

    /// Exactly these lines are not ok, each has its parts and a remedy, and the exit code is what they say.
    #[track_caller]
    fn has(&self, sentence: &str, expected: &[Line]) {
        let found = self.faults();
        let places: Vec<(&str, &str)> = found.iter().map(|(word, what, _)| (*word, *what)).collect();
        let wanted: Vec<(&str, &str)> = expected.iter().map(|(word, what, _)| (*word, *what)).collect();
        assert_eq!(places, wanted, "{sentence}:\n{}", self.text);
        for ((_, _, parts), (_, _, text)) in expected.iter().zip(&found) {
            for part in *parts {
                assert!(text.contains(part), "{sentence}: {part:?} in {text}");
            }
            assert!(text.contains("; "), "{sentence}: no remedy in {text}");
        }
        let code = i32::from(expected.iter().any(|(word, _, _)| *word == "fail"));
        assert_eq!(self.code, Some(code), "{sentence}:\n{}", self.text);
    }

    /// A line that is ok or a note, with a part of its text.
    #[track_caller]
    fn tells(&self, word: &str, what: &str, part: &str) {
        let told = self
            .lines()
            .any(|line| line.0 == word && line.1 == what && line.2.contains(part));
        assert!(told, "{word} {what}: {part} in\n{}", self.text);
    }
}
