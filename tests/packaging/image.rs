//! The container image: one static binary that finds names and authorities with nothing but the image's own files. That
//! it finds time zones is shown with the real API server, in `tests/e2e/image.rs`. The release's workflows and the
//! Containerfile are compared with what they have to agree with.

use std::{
    collections::BTreeSet,
    env, fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Output,
    sync::{Arc, Mutex},
};

use abb_operator::simulator::{self, Options, Simulator};
use tokio::{net::UdpSocket, process::Command};

use crate::rootfs::{self, Root};

/// What an operator may cost a small machine; it is held in memory as far as it is used. `.ci/image` has the bound of what
/// is pulled.
const LARGEST: u64 = 8 << 20;
/// What a cluster needs of the commands.
const COMMANDS: [&str; 6] = ["call", "crd", "ready", "record", "run", "simulate"];
/// What only people at a terminal and their CI use is in the downloads alone.
const LEFT_OUT: [&str; 4] = ["apply", "completion", "demo", "plan"];
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

// The files.

#[test]
fn the_image_holds_one_static_binary_and_data() {
    let Some(image) = rootfs::image() else { return };
    let expected = [
        "/LICENSE",
        "/NOTICES",
        "/abb-operator",
        "/etc/passwd",
        AUTHORITIES,
    ];
    assert_eq!(
        files(&image),
        expected.map(str::to_owned).into(),
        "the files of the image"
    );
    for path in files(&image) {
        let content = fs::read(image.join(&path[1..])).unwrap();
        assert_eq!(content.starts_with(b"\x7fELF"), path == "/abb-operator", "{path}");
        assert!(!content.starts_with(b"#!"), "{path} is a script");
    }

    let binary = fs::read(image.join("abb-operator")).unwrap();
    let segments = segments(&binary);
    assert!(
        !segments.iter().any(|segment| segment.kind == INTERPRETER),
        "it asks for an interpreter"
    );
    assert!(
        segments
            .iter()
            .any(|segment| segment.kind == READ_ONLY_RELOCATIONS),
        "its relocations stay writable"
    );
    let stack = segments.iter().find(|segment| segment.kind == STACK).unwrap();
    assert_eq!(stack.flags & EXECUTABLE, 0, "its stack is executable");
    let dynamic = segments.iter().find(|segment| segment.kind == DYNAMIC);
    let needed = dynamic.map_or(0, |segment| {
        let entries = segment.content.chunks_exact(16);
        entries.filter(|entry| u64_at(entry, 0) == NEEDED).count()
    });
    assert_eq!(needed, 0, "it asks for shared libraries");

    let size = u64::try_from(binary.len()).unwrap();
    assert!(size < LARGEST, "the binary has {size} bytes");
    for path in [env!("CARGO_MANIFEST_DIR"), env!("CARGO_TARGET_TMPDIR")] {
        let named = binary.windows(path.len()).any(|part| part == path.as_bytes());
        assert!(
            !named,
            "the binary names the folder {path} of the machine that built it"
        );
    }

    let passwd = fs::read_to_string(image.join("etc/passwd")).unwrap();
    assert!(passwd.contains(&format!(":x:{}:", rootfs::USER)), "{passwd}");
    let notices = fs::read_to_string(image.join("NOTICES")).unwrap();
    for part in ["tokio 1.", "ring 0.", "Permission is hereby granted", "MPL-2.0"] {
        assert!(notices.contains(part), "NOTICES without {part}");
    }
}

#[test]
fn the_full_binary_has_every_command() {
    let expected: BTreeSet<&str> = COMMANDS.into_iter().chain(LEFT_OUT).collect();
    let full = help(Path::new(env!("CARGO_BIN_EXE_abb-operator")));
    assert_eq!(commands(&full), expected.into_iter().map(str::to_owned).collect());
}

#[test]
fn the_image_s_binary_has_what_a_cluster_needs_and_says_where_the_rest_is() {
    let Some(image) = rootfs::image() else { return };
    let binary = image.join("abb-operator");
    assert_eq!(commands(&help(&binary)), COMMANDS.map(str::to_owned).into());
    for name in LEFT_OUT {
        for arguments in [&[name][..], &[name, "--help"], &["help", name]] {
            let output = std::process::Command::new(&binary).args(arguments).output();
            let output = output.unwrap();
            let (printed, said) = texts(&output);
            assert_eq!(output.status.code(), Some(3), "{arguments:?}: {printed}{said}");
            assert!(
                printed.is_empty() && said.lines().count() == 1 && said.contains("/releases"),
                "{arguments:?}: {printed}{said}"
            );
        }
    }

    // Its definitions are no other than those of the full one, which makes them from the types.
    let output = std::process::Command::new(&binary).arg("crd").output().unwrap();
    let committed: String = ["backupservers", "backuptasks"]
        .map(|name| read(&format!("crds/activebackup.dev_{name}.yaml")))
        .concat();
    assert_eq!(texts(&output).0, committed);
}

fn help(binary: &Path) -> String {
    let output = std::process::Command::new(binary).arg("--help").output();
    texts(&output.unwrap()).0
}

/// The commands that a help lists.
fn commands(help: &str) -> BTreeSet<String> {
    let list = help.split_once("Commands:\n").unwrap().1;
    let list = list.split_once("\n\n").unwrap().0;
    let names = list.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter_map(|line| line.split(' ').next().filter(|name| !name.is_empty()));
    names.filter(|&name| name != "help").map(str::to_owned).collect()
}

fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                found.insert(format!("/{}", path.strip_prefix(folder).unwrap().display()));
            }
        }
    }
    found
}

// Numbers of the ELF format, https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html
const DYNAMIC: u32 = 2;
const INTERPRETER: u32 = 3;
const STACK: u32 = 0x6474_e551;
const READ_ONLY_RELOCATIONS: u32 = 0x6474_e552;
const EXECUTABLE: u32 = 1;
const NEEDED: u64 = 1;

struct Segment<'a> {
    kind: u32,
    flags: u32,
    content: &'a [u8],
}

/// The program headers of a 64-bit little-endian ELF file.
fn segments(elf: &[u8]) -> Vec<Segment<'_>> {
    assert_eq!(elf[..6], *b"\x7fELF\x02\x01", "no 64-bit little-endian ELF file");
    let index = |at| usize::try_from(u64_at(elf, at)).unwrap();
    let (table, size, count) = (
        index(32),
        usize::from(u16_at(elf, 54)),
        usize::from(u16_at(elf, 56)),
    );
    assert!(count > 0, "no program headers");
    let segment = |number| {
        let at = table + number * size;
        let (offset, length) = (index(at + 8), index(at + 32));
        Segment {
            kind: u32_at(elf, at),
            flags: u32_at(elf, at + 4),
            content: &elf[offset..offset + length],
        }
    };
    (0..count).map(segment).collect()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

// Names and authorities.

/// Set in the half of the test that runs in a network of its own.
const INSIDE: &str = "ABB_IMAGE_INSIDE";
const NAS_NAME: &str = "nas.home.test";

/// Port 53 of the loopback address is free in a network namespace only, so this test runs itself again in one.
#[tokio::test]
async fn the_binary_finds_names_and_authorities() {
    if env::var_os(INSIDE).is_some() {
        return inside().await;
    }
    let Some(image) = rootfs::image() else { return };
    if Root::of(&image).is_none() {
        return;
    }
    let ways: [&[&str]; 2] = [
        &["unshare", "--net"],
        &["unshare", "--user", "--map-root-user", "--net"],
    ];
    let Some(namespace) = rootfs::first_that_works(&ways, &["ip", "link", "set", "lo", "up"]) else {
        rootfs::skipped(
            "a network of its own needs root or user namespaces, and the programs unshare and ip",
        );
        return;
    };
    let output = Command::new(&namespace[0])
        .args(&namespace[1..])
        .args(["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"])
        .arg(env::current_exe().unwrap())
        .args([
            "--exact",
            "image::the_binary_finds_names_and_authorities",
            "--nocapture",
        ])
        .env(INSIDE, "1")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let (passed, errors) = (output.status.success(), String::from_utf8_lossy(&output.stderr));
    // The runner is content with a name that no test has.
    assert!(passed && text.contains("1 passed"), "{text}{errors}");
}

async fn inside() {
    let root = Root::of(&rootfs::image().unwrap()).unwrap();
    let names = NameServer::start(&[NAS_NAME, "localhost"]).await;
    // As the kubelet writes it: with these options four wrong names are asked for before the right one.
    let settings = "search abb-operator.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\noptions ndots:5\n";
    root.write("/etc/resolv.conf", settings.as_bytes());
    abb_operator::install_crypto();
    let nas = simulator::start(Options::default()).await.unwrap();

    // A name, with the certificate known by its fingerprint.
    let fingerprint = nas.fingerprint().unwrap().to_owned();
    let output = list(&root, &nas, NAS_NAME, Some(&fingerprint)).await;
    let (answer, said) = texts(&output);
    assert!(
        output.status.success() && answer.contains("peterm-Default"),
        "{answer}{said}"
    );
    assert_eq!(lists(&nas), 1, "the NAS was asked by its name");
    let asked = names.asked();
    for name in [NAS_NAME.to_owned(), format!("{NAS_NAME}.svc.cluster.local")] {
        assert!(asked.contains(&name), "{name} in {asked:?}");
    }
    let output = list(&root, &nas, "nobody.home.test", Some(&fingerprint)).await;
    let (_, said) = texts(&output);
    assert!(
        !output.status.success() && said.contains("nobody.home.test"),
        "{said}"
    );

    // The image's authorities are read, and the NAS's certificate is none of theirs.
    let output = list(&root, &nas, "localhost", None).await;
    let (_, said) = texts(&output);
    assert!(
        !output.status.success() && said.contains("UnknownIssuer"),
        "{said}"
    );
    assert_eq!(lists(&nas), 1);

    // With it among them, the NAS is trusted: the file is the one that counts.
    let bundle = fs::read(root.file(AUTHORITIES)).unwrap();
    let added = [&bundle, nas.certificate_pem().unwrap().as_bytes()].concat();
    root.write(AUTHORITIES, &added);
    let output = list(&root, &nas, "localhost", None).await;
    let (answer, said) = texts(&output);
    assert!(
        output.status.success() && answer.contains("peterm-Default"),
        "{answer}{said}"
    );
    assert_eq!(lists(&nas), 2);

    // Without the file there are none at all: what was found came from nowhere else.
    fs::remove_file(root.file(AUTHORITIES)).unwrap();
    let output = list(&root, &nas, "localhost", None).await;
    let (_, said) = texts(&output);
    assert!(!output.status.success() && said.contains("authorities"), "{said}");
    assert_eq!(lists(&nas), 2);
}

/// `abb-operator call list` in the image, against the NAS by a name.
async fn list(root: &Root, nas: &Simulator, name: &str, fingerprint: Option<&str>) -> Output {
    let port = nas.url().rsplit(':').next().unwrap();
    let mut command = root.command();
    command
        .args(["call", "list"])
        .env("ABB_NAS_URL", format!("https://{name}:{port}"))
        .env("ABB_NAS_USERNAME", nas.username())
        .env("ABB_NAS_PASSWORD", nas.password());
    if let Some(fingerprint) = fingerprint {
        command.env("ABB_NAS_FINGERPRINT", fingerprint);
    }
    Command::from(command).kill_on_drop(true).output().await.unwrap()
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn lists(nas: &Simulator) -> usize {
    let requests = nas.requests();
    let is_list = |request: &&simulator::RequestRecord| {
        request.api == "SYNO.ActiveBackup.Task" && request.method == "list"
    };
    requests.iter().filter(is_list).count()
}

/// A name server on 127.0.0.1:53 that knows a few names, all of this machine, and keeps what it is asked.
struct NameServer {
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    async fn start(known: &[&str]) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).await.unwrap();
        let known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let (name, answer) = answer(&packet[..length], &known);
                log.lock().unwrap().push(name);
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        Self { asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The name that a query (RFC 1035, section 4) asks for, and the answer: 127.0.0.1 for type A of a known name, nothing
/// for other types of it, "no such name" for the rest.
fn answer(query: &[u8], known: &[String]) -> (String, Vec<u8>) {
    const HEADER: usize = 12;
    let mut labels = Vec::new();
    let mut at = HEADER;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    let question = &query[HEADER..at + 5];
    let name = labels.join(".");
    let is_known = known.contains(&name);
    let has_address = is_known && query[at + 1..at + 3] == [0, 1];
    let code = if is_known { 0 } else { 3 };

    let mut answer = query[..2].to_vec();
    // A response, recursion asked for and done; one question, no or one answer.
    answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(has_address), 0, 0, 0, 0]);
    answer.extend(question);
    if has_address {
        // The name by a pointer, type A, class IN, a minute to live, four bytes.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    (name, answer)
}

// Files that have to agree.

#[test]
fn the_containerfile_runs_and_downloads_nothing() {
    let text = read("Containerfile");
    let instructions: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .collect();
    let count = |name: &str| {
        let is_it = |line: &&&str| line.split(' ').next() == Some(name);
        instructions.iter().filter(is_it).count()
    };
    for absent in ["RUN", "ADD", "SHELL", "VOLUME", "EXPOSE"] {
        assert_eq!(count(absent), 0, "{absent}");
    }
    assert_eq!(count("FROM"), 1);
    for line in [
        "FROM scratch",
        &format!("USER {}", rootfs::USER),
        "ENTRYPOINT [\"/abb-operator\"]",
    ] {
        assert!(instructions.contains(&line), "{line} in {instructions:?}");
    }
    for (label, value) in [
        ("title", env!("CARGO_PKG_NAME")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
        ("source", "https://github.com/abb-operator/abb-operator"),
        ("version", "${VERSION}"),
        ("revision", "${REVISION}"),
    ] {
        let label = format!("org.opencontainers.image.{label}=\"{value}\"");
        assert!(text.contains(&label), "{label}");
    }
}

#[test]
fn workflows_ask_for_little_and_pin_what_they_use() {
    for name in ["ci", "release"] {
        let path = format!(".github/workflows/{name}.yml");
        let text = read(&path);
        for line in text.lines().filter(|line| line.contains("uses: ")) {
            let used = line.split_once('@').unwrap_or_default().1;
            let (commit, version) = used.split_once(" # v").unwrap_or_default();
            let is_commit = commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit());
            assert!(
                is_commit && !version.is_empty(),
                "{path}: no commit with its version: {line}"
            );
        }
        // The toolchain and Go have one place each, rust-toolchain.toml and go.mod.
        for version in ["1.95", "toolchain: ", "go-version: "] {
            assert!(
                !text.contains(version),
                "{path} names a version of its own: {version}"
            );
        }

        let workflow: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(
            workflow["permissions"],
            serde_json::json!({}),
            "{path}: rights for every job"
        );
        assert!(workflow["concurrency"]["group"].is_string(), "{path}");
        assert_eq!(
            workflow["defaults"]["run"]["shell"], "bash",
            "{path}: pipes that hide a failure"
        );
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            assert!(job["timeout-minutes"].is_u64(), "{path}: {name} may run for ever");
            let rights = job["permissions"].as_object();
            let rights = rights.unwrap_or_else(|| panic!("{path}: {name} does not say what it may do"));
            let writes: BTreeSet<&str> = rights
                .iter()
                .filter(|(_, level)| *level == "write")
                .map(|(right, _)| right.as_str())
                .collect();
            let expected: &[&str] = match name.as_str() {
                "image" | "chart" => &["attestations", "id-token", "packages"],
                "release" => &["attestations", "contents", "id-token"],
                _ => &[],
            };
            assert_eq!(
                writes,
                expected.iter().copied().collect(),
                "{path}: what {name} may write"
            );
            for step in job["steps"].as_array().unwrap() {
                let checks_out = step["uses"]
                    .as_str()
                    .is_some_and(|used| used.starts_with("actions/checkout@"));
                assert!(
                    !checks_out || step["with"]["persist-credentials"] == false,
                    "{path}: {name} keeps its token in the checkout"
                );
                // Text of a tag or branch put into a script is code of whoever named it.
                let script = step["run"].as_str().unwrap_or_default();
                assert!(
                    !script.contains("${{"),
                    "{path}: {name} puts an expression into a script"
                );
            }
        }
    }
}

/// What is built with must not depend on where it is built: the release compares two builds.
#[test]
fn what_is_shipped_is_built_by_one_script() {
    let script = read(".ci/static");
    for part in [
        "--locked",
        "--profile dist",
        "--remap-path-prefix=",
        "-unknown-linux-musl",
    ] {
        assert!(script.contains(part), "{part}");
    }
    let release = read(".github/workflows/release.yml");
    assert!(
        release.contains(".ci/static") && release.contains("diff --recursive"),
        "{release}"
    );
    let deny = read("deny.toml");
    for target in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"] {
        assert!(
            deny.contains(target),
            "cargo-deny looks at {target}, which is shipped"
        );
    }
}
