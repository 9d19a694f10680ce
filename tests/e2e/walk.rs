//! A new user's walk through the documentation: every command of its pages, in their order, by the real bash, kubectl and
//! helm, against a control plane of its own. The outcome of each is checked, and its output where the page shows one.
//!
//! What stands for what is in one table, [`Walk::stand_ins`]; there is no kubelet, so `kubelet` starts what the Pods say.

use std::{collections::BTreeSet, path::PathBuf, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::process::Command;

use crate::harness::{Cluster, TEST_USER, binaries::Binaries, cluster, eventually, own_cluster};

mod kubelet;
#[path = "../packaging/docs/manifests.rs"]
#[allow(dead_code, reason = "the API server judges here")]
mod manifests;
#[path = "../packaging/docs/markdown.rs"]
#[allow(dead_code, reason = "the blocks are used here")]
mod markdown;
#[path = "../packaging/docs/shell.rs"]
#[allow(dead_code, reason = "commands are used here")]
mod shell;

use kubelet::Kubelet;
use markdown::Block;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Longest a command may take; those that wait have shorter limits of their own.
const COMMAND: Duration = Duration::from_mins(4);
const RELEASE: &str = "abb-operator";
/// The README's section that is walked.
const QUICK_START: &str = "Quick start: a real cluster and a real NAS";
/// Blocks that are not run; each says why on its page.
const SKIPPED: usize = 7;

struct Walk {
    cluster: &'static Cluster,
    kubelet: Kubelet,
    kubeconfig: PathBuf,
    path: std::ffi::OsString,
    /// The chart of the next release, in which only the version differs.
    next_chart: PathBuf,
    /// `export` lines so far: each command has a shell of its own.
    exported: String,
    page: &'static str,
    run: usize,
    skipped: usize,
    /// Stand-ins there were, and those that stood for something.
    known: BTreeSet<&'static str>,
    used: BTreeSet<&'static str>,
}

impl Walk {
    async fn new() -> Self {
        let cluster = own_cluster().await;
        let kubeconfig = cluster.directory().join("walk.kubeconfig");
        std::fs::copy(cluster.write_kubeconfig(TEST_USER, "default"), &kubeconfig).unwrap();
        let binaries = Binaries::find().unwrap();
        let folder = |file: PathBuf| file.parent().map(PathBuf::from).unwrap();
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = [
            folder(PathBuf::from(env!("CARGO_BIN_EXE_abb-operator"))),
            folder(binaries.kubectl()),
        ];
        let path = std::env::join_paths(path.into_iter().chain(std::env::split_paths(&inherited))).unwrap();
        let chart = format!("{ROOT}/charts/abb-operator");
        let folder = cluster.directory().display().to_string();
        let packaged = cluster
            .helm(&["package", &chart, "--version", "0.2.99", "--destination", &folder])
            .await;
        packaged.ok();
        Self {
            cluster,
            kubelet: Kubelet::start(cluster),
            kubeconfig,
            path,
            next_chart: cluster.directory().join("abb-operator-0.2.99.tgz"),
            exported: String::new(),
            page: "",
            run: 0,
            skipped: 0,
            known: BTreeSet::new(),
            used: BTreeSet::new(),
        }
    }

    /// What the pages name, and what stands for it here. Values of the NAS are read from the log of the simulated one, as
    /// the page tells its reader to.
    fn stand_ins(&self) -> Vec<(&'static str, String)> {
        let chart = if self.page == "upgrade" {
            self.next_chart.display().to_string()
        } else {
            "charts/abb-operator".to_owned()
        };
        let mut table = vec![
            // The published chart.
            (
                "oci://ghcr.io/abb-operator/charts/abb-operator --version 0.2.0",
                chart,
            ),
            // The published files.
            (
                "https://raw.githubusercontent.com/abb-operator/abb-operator/main/",
                String::new(),
            ),
            // The task of the real NAS.
            ("My-Laptop", "peterm-Default".to_owned()),
        ];
        if self.page == QUICK_START {
            table = vec![("my-laptop", "peterm-default".to_owned())];
        }
        if self.page == "upgrade" {
            table.push(("abb-operator-0.2.0", "abb-operator-0.2.99".to_owned()));
        }
        if let Some(log) = self.kubelet.log_of("nas-") {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let said = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.map(|value| value.trim().to_owned()).unwrap_or_default()
            };
            let address = said("url:").trim_start_matches("https://").to_owned();
            if self.page != QUICK_START {
                // A log is read through a kubelet.
                table.push(("kubectl logs deployment/nas", format!("cat {}", log.display())));
            }
            table.extend([
                // The real NAS and its password.
                ("nas.example.org:5001", address),
                ("THE-PASSWORD", said("password:")),
            ]);
        }
        table
    }

    fn filled_in(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (shown, here) in self.stand_ins() {
            self.known.insert(shown);
            if text.contains(shown) {
                self.used.insert(shown);
                text = text.replace(shown, &here);
            }
        }
        text
    }

    /// Every block of a page.
    async fn page(&mut self, page: &'static str) {
        self.page = page;
        let text = std::fs::read_to_string(format!("{ROOT}/docs/{page}.md")).unwrap();
        self.text(&text).await;
    }

    /// Every block of a text.
    async fn text(&mut self, text: &str) {
        let page = self.page;
        let blocks = markdown::read(text).blocks;
        for (index, block) in blocks.iter().enumerate() {
            if block.language != "sh" {
                assert_ne!(block.language, "console", "commands stand in blocks named sh");
                continue;
            }
            if let Some(mark) = &block.walk {
                let why = mark.strip_prefix("skip,").map(str::trim);
                assert!(
                    why.is_some_and(|why| why.len() > 10),
                    "{page}.md:{}: {mark}",
                    block.line
                );
                self.skipped += 1;
                continue;
            }
            let written = self.block(block).await;
            if let Some(shown) = blocks.get(index + 1).filter(|next| next.language == "text") {
                let shown_here = self.filled_in(&shown.text);
                self.look_until(block, written, &shown_here).await;
            }
        }
    }

    /// What was written is like what the page shows; a reader looks again where it is on its way, and so does this.
    async fn look_until(&mut self, block: &Block, written: String, shown: &str) {
        let Err(first) = compare(shown, &written) else {
            return;
        };
        let last = shell::commands(&block.text).pop().unwrap();
        assert!(
            last.starts_with("kubectl get "),
            "{}.md:{}: {first}",
            self.page,
            block.line
        );
        let last = self.filled_in(&last);
        let place = format!("{}.md:{}", self.page, block.line);
        eventually(&place, async || {
            compare(shown, &self.command(&last, block.line).await)
        })
        .await;
    }

    async fn block(&mut self, block: &Block) -> String {
        let mut written = String::new();
        for command in shell::commands(&block.text) {
            let command = self.filled_in(&command);
            written.push_str(&self.command(&command, block.line).await);
            self.run += 1;
            if command.starts_with("export ") {
                self.exported.push_str(&command);
                self.exported.push('\n');
            }
        }
        written
    }

    /// Standard output of a command that ends well.
    async fn command(&self, command: &str, line: usize) -> String {
        let place = format!("docs/{}.md:{line}: {command}", self.page);
        let run = Command::new("bash")
            .args(["-euc", &format!("{}{command}", self.exported)])
            .current_dir(ROOT)
            .env("PATH", &self.path)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", self.cluster.directory())
            .env("KUBECACHEDIR", self.cluster.directory().join("walk-cache"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(COMMAND, run)
            .await
            .unwrap_or_else(|_| panic!("{place}\ntakes too long\n{}", self.kubelet.report()))
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success() && self.kubelet.fault().is_none(),
            "{place}\n{}\n{}{}{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr),
            self.kubelet.report()
        );
        text(&output.stdout)
    }

    async fn kubectl(&self, arguments: &str) -> Value {
        let text = self.command(&format!("kubectl {arguments} -o json"), 0).await;
        serde_json::from_str(&text).unwrap()
    }

    async fn laptop(&self) -> Value {
        self.kubectl("get backuptask laptop -n abb-operator").await
    }

    /// Backups that took effect on the simulated NAS.
    async fn backups(&self) -> usize {
        let log = std::fs::read_to_string(self.kubelet.log_of("nas-").unwrap()).unwrap();
        let admin = log.lines().find_map(|line| line.strip_prefix("admin:")).unwrap();
        let url = format!("{}/ledger", admin.trim());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let ledger = client.get(url).send().await.unwrap().text().await.unwrap();
        let ledger: Vec<Value> = serde_json::from_str(&ledger).unwrap();
        ledger.iter().filter(|effect| effect["kind"] == "backup").count()
    }
}

/// Each line that a page shows has a line of the output that has all of its words in their order.
fn compare(shown: &str, written: &str) -> Result<(), String> {
    for line in shown.lines().filter(|line| !line.trim().is_empty()) {
        let has_all = |written: &str| {
            let mut rest = written;
            line.split_whitespace().all(|word| match rest.find(word) {
                Some(at) => {
                    rest = &rest[at + word.len()..];
                    true
                }
                None => false,
            })
        };
        if !written.lines().any(has_all) {
            return Err(format!("nothing written is like {line:?}:\n{written}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_new_user_walks_through_the_documentation() {
    let mut walk = Walk::new().await;

    walk.page("install").await;
    assert_eq!(walk.kubelet.started(RELEASE), 1, "{}", walk.kubelet.report());

    walk.page("first-backup").await;
    let laptop = walk.laptop().await;
    assert_eq!(laptop["status"]["lastSuccess"]["status"], "Success", "{laptop:#}");

    // The second run is under way.
    walk.page("upgrade").await;
    let revisions = walk
        .command("helm history abb-operator --namespace abb-operator", 0)
        .await;
    assert!(revisions.contains("abb-operator-0.2.99"), "{revisions}");
    assert!(revisions.contains("Rollback to 1"), "{revisions}");
    let laptop = eventually("the run that met the upgrade has its result", async || {
        let laptop = walk.laptop().await;
        let receipt = &laptop["status"]["receipts"]["requestAnnotation"];
        let is_done = receipt["token"] == "second-run" && receipt["outcome"] == "Succeeded";
        if is_done {
            Ok(laptop)
        } else {
            Err(format!("{laptop:#}"))
        }
    })
    .await;
    assert_eq!(walk.backups().await, 2, "{laptop:#}\n{}", walk.kubelet.report());

    walk.page("uninstall").await;
    let definitions = walk.kubectl("get crd").await;
    assert!(
        !definitions.to_string().contains("activebackup.dev"),
        "{definitions:#}"
    );

    assert_eq!(walk.skipped, SKIPPED, "blocks that are skipped");
    assert!(walk.run >= 30, "only {} commands were run", walk.run);
    assert_eq!(walk.known, walk.used, "stand-ins that no page needs");
}

/// The README's way from a cluster and a NAS to the first `Success`, in the number of commands it promises.
#[tokio::test]
async fn a_new_user_follows_the_readme() {
    let mut walk = Walk::new().await;
    walk.page = QUICK_START;
    // What a new user has: a NAS. It runs in a namespace of its own here, so that the rest is as on the page.
    walk.command("kubectl create namespace home", 0).await;
    walk.command("kubectl apply -n home -f docs/examples/simulated-nas.yaml", 0)
        .await;
    eventually("the NAS says where it is", async || {
        let log = walk.kubelet.log_of("nas-")?;
        let text = std::fs::read_to_string(log).unwrap_or_default();
        text.contains("admin:").then_some(())
    })
    .await;
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    let section = readme.split(&format!("## {QUICK_START}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let promised = section.trim().split(' ').next().unwrap();
    let way = section.split("Something is in the way?").next().unwrap();
    walk.text(way).await;
    let numbers = [
        "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine",
    ];
    assert_eq!(numbers[walk.run - 1], promised, "commands to the first Success");
    assert_eq!(walk.skipped, 0);
    let task = walk
        .kubectl("get backuptask peterm-default -n abb-operator")
        .await;
    assert_eq!(task["status"]["lastSuccess"]["status"], "Success", "{task:#}");
    assert_eq!(walk.backups().await, 1, "{}", walk.kubelet.report());
    let doctor = walk.command("kubectl abb doctor", 0).await;
    assert!(!doctor.contains("fail "), "{doctor}");
}

#[tokio::test]
async fn the_api_server_takes_every_manifest_shown() {
    let cluster = cluster().await;
    let mut folders = vec![PathBuf::from(ROOT).join("docs")];
    let mut texts = vec![("README.md".to_owned(), String::new())];
    texts[0].1 = std::fs::read_to_string(PathBuf::from(ROOT).join("README.md")).unwrap();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
                texts.push((entry.path().display().to_string(), text));
            }
        }
    }
    let mut seen = 0;
    for (place, text) in &texts {
        let shown: Vec<String> = if is_kind(place, "md") {
            let blocks = markdown::read(text).blocks;
            let yaml = blocks.into_iter().filter(|block| block.language == "yaml");
            yaml.map(|block| block.text).collect()
        } else if is_kind(place, "yaml") {
            vec![text.clone()]
        } else {
            Vec::new()
        };
        for manifest in shown.iter().flat_map(|text| manifests::ours(text)) {
            seen += 1;
            let file = tempfile::NamedTempFile::new_in(cluster.directory()).unwrap();
            std::fs::write(file.path(), manifest.to_string()).unwrap();
            let path = file.path().display().to_string();
            // Where a page names a namespace, the reader has it.
            let namespace = manifest["metadata"]["namespace"].as_str().unwrap_or("default");
            let made = cluster.kubectl(&["create", "namespace", namespace]).await;
            assert!(made.success || made.stderr.contains("already exists"), "{made:?}");
            let dry = [
                "apply",
                "--dry-run=server",
                "--validate=strict",
                "--filename",
                &path,
            ];
            let answer = cluster.kubectl(&dry).await;
            assert!(answer.success, "{place}: {}\n{manifest:#}", answer.stderr);
        }
    }
    assert!(seen >= 4, "only {seen} manifests were seen");
}

#[test]
fn output_is_compared_by_words() {
    assert_eq!(
        compare("NAME READY\nlaptop True\n", "NAME  X  READY\nlaptop  y  True\n"),
        Ok(())
    );
    for wrong in ["laptop False", "True laptop", "laptop"] {
        assert!(compare("laptop True", wrong).is_err(), "{wrong}");
    }
}

/// Whether a path has a file name extension.
fn is_kind(path: &str, extension: &str) -> bool {
    std::path::Path::new(path)
        .extension()
        .is_some_and(|kind| kind == extension)
}
