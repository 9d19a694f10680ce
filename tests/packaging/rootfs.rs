//! The files of the image as `.ci/image` lays them out, in a copy that a test may add to, and how to run the binary with
//! nothing but them. The folder is named by `ABB_IMAGE_ROOT`, as `.ci/run` does; a test without it says that it is skipped.

use std::{
    env, fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Names the folder with the files of the image.
pub const VARIABLE: &str = "ABB_IMAGE_ROOT";
/// The user of the image, as the Containerfile and the chart have it.
pub const USER: &str = "65532:65532";

/// The folder with the image's files, or nothing, said aloud, where none was built.
pub fn image() -> Option<PathBuf> {
    let Some(folder) = env::var_os(VARIABLE) else {
        skipped(&format!(
            "{VARIABLE} is not set: build the image with .ci/image and name the folder root-amd64 or root-arm64 that it prints"
        ));
        return None;
    };
    let folder = PathBuf::from(folder);
    assert!(
        folder.join("abb-operator").is_file(),
        "{VARIABLE} names {}, where no abb-operator is: build the image with .ci/image",
        folder.display()
    );
    Some(folder)
}

/// Says that a test of the image did not run. Not `eprintln!`: the test runner would keep it to itself.
pub fn skipped(why: &str) {
    let _unseen = writeln!(io::stderr(), "SKIPPED, a test of the image: {why}");
}

/// A copy of the image's files.
#[derive(Debug)]
pub struct Root {
    folder: tempfile::TempDir,
    prefix: Vec<String>,
}

impl Root {
    /// Copies the files; nothing, said aloud, on a machine that lets nobody change the root.
    pub fn of(image: &Path) -> Option<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        copy(image, folder.path());
        // The folder of a test is its own user's; the image's user has to get in.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let Some(prefix) = change_of_root() else {
            skipped("changing the root needs root, or user namespaces (kernel.unprivileged_userns_clone)");
            return None;
        };
        Some(Self { folder, prefix })
    }

    /// Writes a file below the new root, readable by everybody.
    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.file(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Where a file below the new root stands for the test.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// Runs the image's binary in its files, as the image's user where that can be, with an empty environment. It takes
    /// the place of the process that is started: a signal to that one reaches it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.prefix[0]);
        command
            .args(&self.prefix[1..])
            .arg(self.folder.path())
            .arg("/abb-operator")
            .env_clear();
        command
    }
}

/// How to change the root here. It is tried with the machine's own root, so that a broken image is no reason to skip.
fn change_of_root() -> Option<Vec<String>> {
    let as_user = format!("--userspec={USER}");
    first_that_works(
        &[
            &["chroot", &as_user],
            &["unshare", "--user", "--map-root-user", "chroot"],
            &["chroot"],
        ],
        &["/", "true"],
    )
}

/// The first of the ways that can run a program.
pub fn first_that_works(ways: &[&[&str]], program: &[&str]) -> Option<Vec<String>> {
    let works = |way: &&&[&str]| {
        let tried = Command::new(way[0]).args(&way[1..]).args(program).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let way = ways.iter().find(works)?;
    // The environment of the program is empty, so its path is looked up now.
    let mut way: Vec<String> = way.iter().map(|&part| part.to_owned()).collect();
    way[0] = found(&way[0]);
    if let Some(inner) = way.iter_mut().skip(1).find(|part| *part == "chroot") {
        *inner = found("chroot");
    }
    Some(way)
}

fn found(program: &str) -> String {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .map_or_else(|| program.to_owned(), |path| path.display().to_string())
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}
