//! Screens that stand in `tests/fixtures/screens/`, as people would see them but for times: what differs from run to run
//! is replaced by a word of the same form. `UPDATE_SCREENS=1` writes them anew.

use std::{env, fs, path::PathBuf};

const SCREENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/screens");
/// Set to anything, it lets [`compare`] write instead.
const UPDATE: &str = "UPDATE_SCREENS";

/// A screen without what differs from run to run: ages become `AGE`, times `TIME`, the command line's own tokens `TOKEN`
/// and speeds `SPEED`. Where a column follows, it keeps its place.
pub fn normalised(text: &str) -> String {
    let lines = text.lines().map(|line| format!("{}\n", normalised_line(line)));
    let text: String = lines.collect();
    format!("{}\n", text.trim_end_matches('\n'))
}

fn normalised_line(line: &str) -> String {
    let mut seen = String::new();
    let mut rest = joined_speeds(line);
    while !rest.is_empty() {
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        seen.push_str(&rest[..blanks]);
        let word_end = rest[blanks..].find(' ').map_or(rest.len(), |end| blanks + end);
        let word = rest[blanks..word_end].to_owned();
        rest = rest[word_end..].to_owned();
        let Some(replacement) = replaced(&word) else {
            seen.push_str(&word);
            continue;
        };
        seen.push_str(&replacement);
        let followed = rest.len() - rest.trim_start_matches(' ').len();
        if followed >= 2 {
            // The end of a cell: what follows stays in its column.
            let width = word.chars().count() + followed;
            let blanks = width.saturating_sub(replacement.chars().count()).max(2);
            seen.push_str(&" ".repeat(blanks));
            rest = rest[followed..].to_owned();
        }
    }
    seen.trim_end().to_owned()
}

/// A speed has a blank within it; it is one word here.
fn joined_speeds(line: &str) -> String {
    let mut line = line.to_owned();
    for unit in ["B/s", "KiB/s", "MiB/s", "GiB/s"] {
        line = line.replace(&format!(" {unit}"), &format!("\u{a0}{unit}"));
    }
    line
}

/// A word with its part that differs replaced; `None` for a word that stays.
fn replaced(word: &str) -> Option<String> {
    const AROUND: &[char] = &['(', ')', ',', ';', ':', '.', '"', '\'', '[', ']'];
    let core = word.trim_matches(AROUND);
    if core.is_empty() {
        return None;
    }
    let name = if core.ends_with("B/s") && core.contains('\u{a0}') {
        "SPEED"
    } else if core.starts_with("cli-2") {
        "TOKEN"
    } else if is_time(core) {
        "TIME"
    } else if is_age(core) {
        "AGE"
    } else {
        return None;
    };
    Some(word.replace(core, name))
}

/// `2026-12-01T08:00:00Z`, and with a fraction.
fn is_time(word: &str) -> bool {
    word.ends_with('Z') && word.parse::<jiff::Timestamp>().is_ok()
}

/// `5s`, `2m10s`, `3d4h`: numbers, each with its unit.
fn is_age(word: &str) -> bool {
    let mut digits = 0;
    for letter in word.chars() {
        match letter {
            '0'..='9' => digits += 1,
            's' | 'm' | 'h' | 'd' if digits > 0 => digits = 0,
            _ => return false,
        }
    }
    digits == 0 && !word.is_empty()
}

/// Compares a screen with the one that stands in `tests/fixtures/screens/NAME.txt`, both normalised. How many blanks stand
/// between columns does not count: a column of ages is as wide as the widest.
///
/// # Panics
/// With both when they differ.
#[track_caller]
pub fn compare(name: &str, text: &str) {
    compare_exactly(name, &normalised(text));
}

/// The same for a text that is the same in every run.
///
/// # Panics
/// With both when they differ.
#[track_caller]
pub fn compare_exactly(name: &str, seen: &str) {
    let path = PathBuf::from(SCREENS).join(format!("{name}.txt"));
    if env::var_os(UPDATE).is_some() {
        fs::create_dir_all(SCREENS).unwrap();
        fs::write(&path, seen).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        squeezed(seen),
        squeezed(&expected),
        "{} differs from what was seen (left); look at it, and write it anew with {UPDATE}=1. Seen:\n{seen}",
        path.display()
    );
}

fn squeezed(text: &str) -> Vec<String> {
    let words = |line: &str| {
        line.split(' ')
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_replaced_and_columns_stay() {
        for (line, expected) in [
            (
                "laptop   Succeeded   8s         4.43 GiB",
                "laptop   Succeeded   AGE        4.43 GiB",
            ),
            ("laptop   2m10s", "laptop   AGE"),
            ("asked (token cli-20261201T080000Z-3f9a2c)", "asked (token TOKEN)"),
            ("next at 2026-12-01T08:00:00Z.", "next at TIME."),
            (
                "57 %   2.51 GiB   560.20 MiB/s   4s",
                "57 %   2.51 GiB   SPEED          AGE",
            ),
            ("pods sms 12 4m2 s", "pods sms 12 4m2 s"),
        ] {
            assert_eq!(normalised_line(line), expected);
        }
        assert_eq!(squeezed(&normalised("a    12s   b\n\n")), squeezed("a  AGE  b\n"));
    }
}
