//! The plugin by krew: the manifest as a release fills it, judged by krew's own validator, which installs every platform's
//! archive by krew itself; here from a server on this machine.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{binaries::Binaries, go::Module};

const KREW: Module = Module {
    folder: "krew",
    package: "tool",
    what: "krew and its validator of manifests",
    version: None,
    otherwise: "",
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What `.github/workflows/release.yml` builds the plugin for.
const PLATFORMS: [(&str, &str); 4] = [
    ("linux", "amd64"),
    ("linux", "arm64"),
    ("darwin", "amd64"),
    ("darwin", "arm64"),
];

fn script(name: &str) -> Command {
    Command::new(Path::new(ROOT).join(".ci").join(name))
}

#[track_caller]
fn ok(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Archives of this build's plugin under the names of every platform, and the manifest that a release would have.
fn released(folder: &Path) -> String {
    let notices = folder.join("NOTICES");
    fs::write(&notices, "none\n").unwrap();
    let assets = folder.join("assets");
    fs::create_dir(&assets).unwrap();
    let [(system, architecture), others @ ..] = PLATFORMS;
    let packed = script("pack")
        .args(["kubectl-abb", VERSION, system, architecture])
        .arg(env!("CARGO_BIN_EXE_kubectl-abb"))
        .args([&notices, &assets])
        .output();
    let archive = PathBuf::from(ok(&packed.unwrap()).trim());
    for (system, architecture) in others {
        let name = format!("kubectl-abb-{VERSION}-{system}-{architecture}.tar.gz");
        fs::hard_link(&archive, assets.join(name)).unwrap();
    }
    ok(&script("krew").arg(VERSION).arg(&assets).output().unwrap())
}

/// Serves the files of a folder; the address.
fn serving(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let name = request
                .split(' ')
                .nth(1)
                .unwrap_or_default()
                .rsplit('/')
                .next()
                .unwrap();
            let (status, body) = match fs::read(folder.join(name)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            // Who asked may have seen enough.
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
    address
}

/// The programs' folder with kubectl, and krew under the name by which kubectl finds it.
fn programs(folder: &Path) -> PathBuf {
    let path = folder.join("programs");
    fs::create_dir(&path).unwrap();
    symlink(Binaries::find().unwrap().kubectl(), path.join("kubectl")).unwrap();
    symlink(KREW.built().unwrap().join("krew"), path.join("kubectl-krew")).unwrap();
    path
}

fn validated(manifest: &Path, path: &Path, flags: &[&str]) -> Output {
    Command::new(KREW.built().unwrap().join("validate-krew-manifest"))
        .arg("-manifest")
        .arg(manifest)
        .args(flags)
        .env("PATH", path)
        .output()
        .unwrap()
}

#[test]
fn krew_takes_the_manifest_and_installs_every_archive() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let manifest = released(folder.path());
    let file = folder.path().join("abb.yaml");
    let path = programs(folder.path());
    fs::write(&file, &manifest).unwrap();
    ok(&validated(&file, &path, &["-skip-install"]));

    let release = format!("https://github.com/abb-operator/abb-operator/releases/download/v{VERSION}");
    assert_eq!(manifest.matches(&release).count(), PLATFORMS.len(), "{manifest}");
    let here = manifest.replace(&release, &serving(folder.path().join("assets")));
    fs::write(&file, &here).unwrap();
    ok(&validated(&file, &path, &[]));

    // And as a user has it: by krew, then by kubectl.
    let root = folder.path().join("root");
    let both = std::env::join_paths([root.join("bin"), path.clone()]).unwrap();
    let kubectl = |arguments: &[&str]| {
        let mut command = Command::new(path.join("kubectl"));
        command.args(arguments).env("PATH", &both).env("KREW_ROOT", &root);
        command
            .env("KREW_NO_UPGRADE_CHECK", "1")
            .env("HOME", folder.path());
        // The archives hold this machine's program, whatever their names say.
        command.env("KREW_OS", "linux").env("KREW_ARCH", "amd64");
        command.output().unwrap()
    };
    ok(&kubectl(&[
        "krew",
        "install",
        "--manifest",
        &file.display().to_string(),
    ]));
    assert_eq!(
        ok(&kubectl(&["abb", "--version"])).trim(),
        format!("kubectl-abb {VERSION}")
    );

    // What is wrong is refused: a sum, a name, a platform twice.
    let sum = here.split("sha256: ").nth(1).unwrap().split('\n').next().unwrap();
    for (name, from, to, flags, part) in [
        ("abb", sum, "f".repeat(64), &[][..], "checksum does not match"),
        (
            "other",
            "\0",
            String::new(),
            &["-skip-install"],
            "should be named",
        ),
        (
            "abb",
            "arch: arm64",
            "arch: amd64".to_owned(),
            &["-skip-install"],
            "overlapping",
        ),
    ] {
        let file = folder.path().join(format!("{name}.yaml"));
        fs::write(&file, here.replace(from, &to)).unwrap();
        let refused = validated(&file, &path, flags);
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_manifest_names_what_a_release_packs() {
    let template = fs::read_to_string(Path::new(ROOT).join(".krew.yaml")).unwrap();
    let release = fs::read_to_string(Path::new(ROOT).join(".github/workflows/release.yml")).unwrap();
    for (system, architecture) in PLATFORMS {
        let name = format!("kubectl-abb-{{{{ .Version }}}}-{system}-{architecture}.tar.gz");
        assert!(template.contains(&name), "{name}");
        let selector = format!("os: {system}\n        arch: {architecture}\n");
        assert!(template.contains(&selector), "{selector}");
        assert!(release.contains(&format!("pack kubectl-abb {system} \"$architecture\"")));
    }
    assert_eq!(template.matches("addURIAndSha").count(), PLATFORMS.len());
    assert!(release.contains(".ci/krew \"$VERSION\" assets >assets/abb.yaml"));
}
