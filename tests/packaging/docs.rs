//! Documentation that is made from the code, or compared with it: what it names exists, what it shows is taken.

mod manifests;
mod markdown;
mod reference;
mod shell;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use abb_operator::{
    api::Reason,
    config::{Cli, Plugin},
};
use clap::{Command, CommandFactory, Parser, error::ErrorKind};
use markdown::Page;

use super::binaries::Binaries;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_reference_is_made_from_the_code() {
    let path = format!("{ROOT}/docs/reference.md");
    let fresh = reference::page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == fresh,
        "docs/reference.md is out of date: run UPDATE_DOCS=1 cargo test --test packaging docs"
    );
}

/// Files below `docs`, and those at the top of the repository.
fn files(extension: &str) -> Vec<PathBuf> {
    let top = fs::read_dir(ROOT).unwrap().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = top.filter(|path| path.is_file()).collect();
    let mut folders = vec![PathBuf::from(ROOT).join("docs")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.retain(|file| file.extension().is_some_and(|its| its == extension));
    files
}

/// Every page for people, by its path below the repository.
fn pages() -> BTreeMap<PathBuf, Page> {
    let pages: BTreeMap<_, _> = files("md")
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            (file.strip_prefix(ROOT).unwrap().to_owned(), markdown::read(&text))
        })
        .collect();
    for page in [
        "README.md",
        "CONTRIBUTING.md",
        "docs/README.md",
        "docs/reference.md",
    ] {
        assert!(pages.contains_key(Path::new(page)), "{page} is missing");
    }
    pages
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let pages = pages();
    let mut wrong = Vec::new();
    let mut followed = 0;
    for (path, page) in &pages {
        for (target, line) in &page.links {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            followed += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let meant = if file.is_empty() {
                path.clone()
            } else {
                lexical(&path.parent().unwrap().join(file))
            };
            let is_there = Path::new(ROOT).join(&meant).exists();
            let has_anchor = anchor.is_empty()
                || pages
                    .get(&meant)
                    .is_some_and(|page| page.anchors.iter().any(|known| known == anchor));
            if !is_there || !has_anchor {
                wrong.push(format!("{}:{line}: {target} leads nowhere", path.display()));
            }
        }
    }
    none(&wrong);
    assert!(followed > 50, "only {followed} links were seen");
}

/// Without `..`, as a browser resolves it.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::Normal(part) => clean.push(part),
            _ => {}
        }
    }
    clean
}

#[test]
fn every_page_is_in_the_index() {
    let pages = pages();
    let index = &pages[Path::new("docs/README.md")];
    let listed: BTreeSet<PathBuf> = index
        .links
        .iter()
        .map(|(target, _)| lexical(&Path::new("docs").join(target.split('#').next().unwrap())))
        .collect();
    let missing: Vec<String> = pages
        .keys()
        .filter(|path| path.starts_with("docs") && *path != Path::new("docs/README.md"))
        .filter(|path| !listed.contains(*path))
        .map(|path| format!("docs/README.md does not list {}", path.display()))
        .collect();
    none(&missing);
}

#[test]
fn every_reason_has_its_section_and_every_section_its_reason() {
    let text = fs::read_to_string(format!("{ROOT}/docs/troubleshooting.md")).unwrap();
    let sections: BTreeMap<&str, &str> = text
        .split("\n### ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(name, body)| (name, body.split("\n## ").next().unwrap().trim()))
        .collect();
    let reasons: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    let documented: BTreeSet<&str> = sections.keys().copied().collect();
    assert_eq!(
        documented, reasons,
        "left: sections of troubleshooting.md, right: reasons"
    );
    for (reason, body) in sections {
        assert!(body.len() > 20, "{reason} says nothing: {body:?}");
    }
}

/// What a shown command line must not be refused with. A name of a command in running text lacks its arguments.
fn refused(words: &[String], in_prose: bool) -> Option<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let parsed = match words.as_slice() {
        ["cargo", "run", rest @ ..] if rest.contains(&"--") => {
            let rest = rest.iter().skip_while(|word| **word != "--").skip(1);
            Cli::try_parse_from(["abb-operator"].iter().chain(rest)).err()
        }
        [program, rest @ ..] if program.rsplit('/').next() == Some("abb-operator") => {
            Cli::try_parse_from(["abb-operator"].iter().chain(rest)).err()
        }
        ["kubectl", "abb", rest @ ..] => Plugin::try_parse_from(["kubectl-abb"].iter().chain(rest)).err(),
        _ => None,
    };
    let error = parsed?;
    let incomplete = matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    // A flag that is named, as in `simulate --replay`, lacks its value.
    let incomplete = incomplete
        || words.last().is_some_and(|word| word.starts_with("--")) && error.kind() == ErrorKind::InvalidValue;
    let helps = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    (!(helps || in_prose && incomplete)).then(|| error.to_string())
}

#[test]
fn every_command_line_shown_is_one() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, page) in pages() {
        let mut judge = |line: usize, command: &str, in_prose: bool| {
            for words in shell::programs(command) {
                seen += usize::from(
                    words
                        .iter()
                        .any(|word| word.ends_with("abb-operator") || word == "abb"),
                );
                if let Some(error) = refused(&words, in_prose) {
                    wrong.push(format!("{}:{line}: {command}: {error}", path.display()));
                }
            }
        };
        for block in &page.blocks {
            match block.language.as_str() {
                "sh" => {
                    for command in shell::commands(&block.text) {
                        judge(block.line, &command, false);
                    }
                }
                "console" => {
                    for command in block.text.lines().filter_map(|line| line.strip_prefix("$ ")) {
                        judge(block.line, command, false);
                    }
                }
                _ => {}
            }
        }
        for (code, line) in &page.code {
            if code.starts_with("abb-operator ") || code.starts_with("kubectl abb ") {
                judge(*line, code, true);
            }
        }
    }
    none(&wrong);
    assert!(seen > 20, "only {seen} command lines were seen");
    assert!(refused(&["abb-operator".into(), "run".into(), "--conquer".into()], true).is_some());
    assert!(refused(&["kubectl".into(), "abb".into(), "conquer".into()], true).is_some());
}

/// Every environment variable that the programs read.
fn variables() -> BTreeSet<String> {
    fn collect(command: &Command, found: &mut BTreeSet<String>) {
        let names = command.get_arguments().filter_map(clap::Arg::get_env);
        found.extend(names.map(|name| name.to_string_lossy().into_owned()));
        command
            .get_subcommands()
            .for_each(|command| collect(command, found));
    }
    let mut found = BTreeSet::new();
    collect(&Cli::command(), &mut found);
    collect(&Plugin::command(), &mut found);
    found
}

#[test]
fn every_environment_variable_named_is_read() {
    let mut known = variables();
    // What the tests themselves read: where the image is laid out.
    let of_the_image = fs::read_to_string(Path::new(ROOT).join("tests/packaging/rootfs.rs")).unwrap();
    known.extend(
        of_the_image
            .split('"')
            .filter(|word| word.starts_with("ABB_") && !word.contains(char::is_whitespace))
            .map(str::to_owned),
    );
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for path in pages().keys() {
        let text = fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        for name in text
            .split(|c| !is_name(c))
            .filter(|name| name.starts_with("ABB_"))
        {
            seen.insert(name.to_owned());
            // `ABB_*` stands for all of them.
            if name != "ABB_" && !known.contains(name) {
                wrong.push(format!("{}: nothing reads {name}", path.display()));
            }
        }
    }
    none(&wrong);
    assert!(seen.len() > 5, "only {seen:?} were seen");
}

#[test]
fn every_value_of_the_chart_that_is_set_exists() {
    let text = fs::read_to_string(format!("{ROOT}/charts/abb-operator/values.yaml")).unwrap();
    let values: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    for (path, page) in pages() {
        for block in page.blocks.iter().filter(|block| block.language == "sh") {
            for words in shell::commands(&block.text)
                .iter()
                .flat_map(|c| shell::programs(c))
            {
                for pair in words.windows(2).filter(|pair| pair[0].starts_with("--set")) {
                    let key = pair[1].split('=').next().unwrap();
                    if !is_value(&values, key) {
                        wrong.push(format!(
                            "{}:{}: there is no value {key}",
                            path.display(),
                            block.line
                        ));
                    }
                }
            }
        }
        // A value in running text, such as `crds.install`.
        for (code, line) in &page.code {
            let key = code.split([':', '=']).next().unwrap();
            let top = key.split('.').next().unwrap();
            let is_path = key.contains('.') && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
            let is_ours = values.get(top).is_some_and(serde_json::Value::is_object);
            if is_path && is_ours && !is_value(&values, key) {
                wrong.push(format!("{}:{line}: there is no value {key}", path.display()));
            }
        }
    }
    none(&wrong);
    assert!(is_value(&values, "crds.install") && is_value(&values, "servers[0].name"));
    assert!(!is_value(&values, "crds.instal") && !is_value(&values, "crd.install"));
}

/// Whether the chart has such a value; what is below an empty map or list is the user's.
fn is_value(values: &serde_json::Value, key: &str) -> bool {
    let mut at = values;
    for part in key.split('.') {
        let name = part.split('[').next().unwrap();
        let Some(next) = at.get(name) else { return false };
        let is_open = next.as_array().is_some() || next.as_object().is_some_and(serde_json::Map::is_empty);
        if is_open {
            return true;
        }
        at = next;
    }
    true
}

/// Every block that begins with `# values.yaml` is rendered by the real helm with the real chart, schema and checks included.
#[test]
fn every_values_file_shown_is_taken_by_the_chart() {
    let helm = Binaries::find().unwrap().helm();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    let render = |values: &str| {
        fs::write(&file, values).unwrap();
        let output = std::process::Command::new(&helm)
            .args([
                "template",
                "abb-operator",
                "charts/abb-operator",
                "--namespace",
                "abb-operator",
                "--values",
            ])
            .arg(&file)
            .current_dir(ROOT)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(())
        } else {
            Err(errors)
        }
    };
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, page) in pages() {
        for block in page
            .blocks
            .iter()
            .filter(|block| block.text.starts_with("# values.yaml\n"))
        {
            seen += 1;
            if let Err(error) = render(&block.text) {
                wrong.push(format!("{}:{}: {error}", path.display(), block.line));
            }
        }
    }
    none(&wrong);
    assert!(seen >= 10, "only {seen} were seen");
    assert!(render("watchNamespace: [a]\n").is_err());
}

/// Every manifest of our kinds, as a block of its own, in a here-document, or as a file below `docs`.
#[test]
fn every_manifest_shown_fits_its_definition() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    let mut judge = |place: String, text: &str| {
        for manifest in manifests::ours(text) {
            seen += 1;
            wrong.extend(
                manifests::faults(&manifest)
                    .into_iter()
                    .map(|fault| format!("{place}: {fault}")),
            );
        }
    };
    for (path, page) in pages() {
        for block in &page.blocks {
            let place = format!("{}:{}", path.display(), block.line);
            match block.language.as_str() {
                "yaml" => judge(place, &block.text),
                "sh" => {
                    for command in shell::commands(&block.text) {
                        let mut lines: Vec<&str> = command.lines().skip(1).collect();
                        lines.pop();
                        if command.contains("<<") {
                            judge(place.clone(), &lines.join("\n"));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    for file in files("yaml") {
        judge(file.display().to_string(), &fs::read_to_string(&file).unwrap());
    }
    none(&wrong);
    assert!(seen >= 8, "only {seen} were seen");
}
