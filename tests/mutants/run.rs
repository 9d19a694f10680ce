//! Deliberate mistakes in the protocol, each of which some test must catch: `cargo bench --bench mutants`. The sources
//! are copied, one mistake is made at a time, and the tests of the pure code and the simulation are run on it. A mistake
//! that does not compile, or whose place is not found any more, is a defect of this list and fails it too.
//! `MUTANTS=word;word` runs those whose name contains one of the words.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

mod list;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Instant,
};

use list::{MUTANTS, Mutant};

/// What became of a mutant.
enum Fate {
    Killed(String),
    Survived,
    Defect(String),
}

struct Nursery {
    tree: PathBuf,
    target: PathBuf,
}

impl Nursery {
    /// A copy of the sources with a target directory of its own.
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
        let tree = home.join("tree");
        // What is left of an earlier run is of no use.
        let _ = fs::remove_dir_all(&tree);
        for part in ["src", "tests", "crds", "docs"] {
            copy(&root.join(part), &tree.join(part));
        }
        for file in [
            "Cargo.toml",
            "Cargo.lock",
            "rust-toolchain.toml",
            "clippy.toml",
            "README.md",
        ] {
            if root.join(file).exists() {
                fs::copy(root.join(file), tree.join(file)).unwrap();
            }
        }
        Self {
            tree,
            target: home.join("target"),
        }
    }

    fn test(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO"))
            .arg("test")
            .args(arguments)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap()
    }

    /// The first failing test of these, or `None` when all pass.
    fn failing(&self, arguments: &[&str]) -> Option<String> {
        let output = self.test(arguments);
        if output.status.success() {
            return None;
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = text.lines().find_map(|line| {
            line.strip_prefix("test ")?
                .strip_suffix(" ... FAILED")
                .map(str::to_owned)
        });
        Some(failed.unwrap_or_else(|| "(the tests ended early)".to_owned()))
    }

    fn try_out(&self, mutant: &Mutant) -> Fate {
        let path = self.tree.join(mutant.file);
        let sound = fs::read_to_string(&path).unwrap();
        let places = sound.matches(mutant.from).count();
        if places != 1 {
            return Fate::Defect(format!("its place is found {places} times in {}", mutant.file));
        }
        fs::write(&path, sound.replace(mutant.from, mutant.to)).unwrap();
        let fate = self.judge();
        fs::write(&path, sound).unwrap();
        fate
    }

    fn judge(&self) -> Fate {
        let built = self.test(&["--lib", "--no-run"]);
        if !built.status.success() {
            let text = String::from_utf8_lossy(&built.stderr).into_owned();
            let error = text
                .lines()
                .find(|line| line.starts_with("error"))
                .unwrap_or("")
                .to_owned();
            return Fate::Defect(format!("it does not compile: {error}"));
        }
        // The quiet hours are the longest test, and the sweep looks at ten quiet minutes; none of the mistakes is about a
        // refused login.
        let skipped = ["--skip", "nothing_happens_once", "--skip", "logins::"];
        let simulation = [&["--test", "simulation", "--"][..], &skipped].concat();
        let suites: [&[&str]; 2] = [&["--lib"], &simulation];
        for suite in suites {
            if let Some(test) = self.failing(suite) {
                return Fate::Killed(test);
            }
        }
        Fate::Survived
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn main() {
    let wanted = std::env::var("MUTANTS").unwrap_or_default();
    let nursery = Nursery::new();
    if let Some(test) = nursery.failing(&["--lib", "--test", "simulation"]) {
        eprintln!("{test} fails without any mistake");
        std::process::exit(1);
    }
    let (mut alive, mut tried) = (0, 0);
    let is_wanted = |mutant: &&Mutant| wanted.split(';').any(|word| mutant.name.contains(word));
    for mutant in MUTANTS.iter().filter(is_wanted) {
        let begun = Instant::now();
        tried += 1;
        let fate = match nursery.try_out(mutant) {
            Fate::Killed(test) => format!("killed by {test}"),
            Fate::Survived => {
                alive += 1;
                "SURVIVED".to_owned()
            }
            Fate::Defect(what) => {
                alive += 1;
                format!("DEFECT: {what}")
            }
        };
        println!(
            "{:<72} {fate} ({:.0} s)",
            mutant.name,
            begun.elapsed().as_secs_f64()
        );
    }
    println!("\n{} of {tried} mistakes were caught", tried - alive);
    if alive > 0 || tried == 0 {
        std::process::exit(1);
    }
}
