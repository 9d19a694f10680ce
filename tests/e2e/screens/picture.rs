//! A picture of a screen: drawn in a pseudo-terminal or a pipe, freed from what differs between two runs without moving
//! anything, and compared with the one that is kept.

use std::{fs, path::PathBuf, process::Stdio};

use tokio::process::Command;

use crate::harness::{Namespace, Terminal};

/// Lines of the terminals: all that is shown has room.
const ROWS: u16 = 60;
/// A terminal of today.
const UTF_8: (&str, &str) = ("LANG", "C.UTF-8");

/// Starts a command of the plugin in a terminal.
pub fn terminal(
    namespace: &Namespace,
    arguments: &[&str],
    environment: &[(&str, &str)],
    size: (u16, u16),
) -> Terminal {
    let kubeconfig = namespace.kubeconfig_path().display().to_string();
    let mut all = vec![("KUBECONFIG", kubeconfig.as_str()), UTF_8];
    all.extend(environment);
    Terminal::start(env!("CARGO_BIN_EXE_kubectl-abb"), arguments, &all, size)
}

/// What a command prints in a terminal of so many columns; it has to end well and to wrap nothing.
pub async fn print_in(namespace: &Namespace, arguments: &[&str], width: u16) -> String {
    let mut terminal = terminal(namespace, arguments, &[], (width, ROWS));
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 0, "{arguments:?}:\n{screen}");
    assert_eq!(terminal.broken_lines(), [""; 0]);
    screen
}

/// Runs a command of the plugin in pipes: exit code, output, errors.
pub async fn plugin(
    namespace: &Namespace,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-abb"))
        .args(arguments)
        .env("KUBECONFIG", namespace.kubeconfig_path())
        .env(UTF_8.0, UTF_8.1)
        .env_remove("LC_ALL")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Compares a screen with the kept picture of that name, or keeps it.
#[track_caller]
pub fn compare(name: &str, screen: &str) {
    let path: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "tests/fixtures/screens",
        &format!("{name}.txt"),
    ]
    .iter()
    .collect();
    let seen = settled(screen);
    if std::env::var_os("UPDATE_SCREENS").is_some() {
        fs::write(&path, seen).unwrap();
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        seen == kept,
        "{} is another picture (UPDATE_SCREENS=1 keeps the new one)\n--- kept\n{kept}--- seen\n{seen}",
        path.display()
    );
}

/// The screen with one and the same time, port, identity and short age, each as wide as what it stands for.
pub fn settled(screen: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in screen.lines() {
        let line = shaped(line, "9999-99-99T99:99:99Z", "2026-01-02T03:04:05Z");
        let line = shaped(&line, "127.0.0.1:99999", "127.0.0.1:50001");
        let line = shaped(&line, "screens-9999", "screens-0000");
        let line = shaped(
            &line,
            "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
            "00000000-0000-0000-0000-000000000000",
        );
        lines.push(young(&line) + "\n");
    }
    lines.concat()
}

/// Replaces every text of a shape: `9` stands for a digit, `x` for a digit in base 16, anything else for itself.
fn shaped(line: &str, shape: &str, by: &str) -> String {
    let letters: Vec<char> = line.chars().collect();
    let shape: Vec<char> = shape.chars().collect();
    let fits = |at: usize| {
        letters.len() >= at + shape.len()
            && shape.iter().zip(&letters[at..]).all(|(want, letter)| match want {
                '9' => letter.is_ascii_digit(),
                'x' => letter.is_ascii_hexdigit(),
                want => letter == want,
            })
    };
    let (mut written, mut at) = (String::new(), 0);
    while at < letters.len() {
        if fits(at) {
            written.push_str(by);
            at += shape.len();
        } else {
            written.push(letters[at]);
            at += 1;
        }
    }
    written
}

/// Ages in seconds or minutes become `7s`, and blanks make up for the rest.
fn young(line: &str) -> String {
    let mut written = String::new();
    for (number, word) in line.split(' ').enumerate() {
        if number > 0 {
            written.push(' ');
        }
        let is_age = word.starts_with(|letter: char| letter.is_ascii_digit())
            && word.ends_with(['s', 'm'])
            && word
                .chars()
                .all(|letter| letter.is_ascii_digit() || letter == 's' || letter == 'm');
        // The recorded runs take some eight minutes, and that is no age.
        if is_age && !word.starts_with("8m4") {
            written.push_str("7s");
            written.extend(std::iter::repeat_n(' ', word.len() - 2));
        } else {
            written.push_str(word);
        }
    }
    written.trim_end().to_owned()
}
