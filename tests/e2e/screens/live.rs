//! The live view: what changes appears, whatever the terminal's size, also after an API server that was away; and it leaves
//! the terminal as it was.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::Command,
    sync::watch,
    task::JoinHandle,
};

use super::picture::{print_in, settled, terminal};
use crate::{
    harness::{Terminal, eventually, process::Process},
    lab::{Lab, TASK, task},
};

/// Lines of the terminals.
const ROWS: u16 = 24;
/// The last line of a view that is up to date.
const LIVE: &str = "live; ^C ends\n";

async fn bound(lab: &Lab) {
    lab.server_reason("Connected").await;
    lab.task("").await;
    lab.until("bound", |status| status["history"].is_array()).await;
}

#[tokio::test]
async fn changes_appear_in_place_at_any_size_until_it_is_ended() {
    // The seed's run takes about nine seconds.
    let lab = Lab::with("live", abb_operator::simulator::Scenario::seed(), 60.0).await;
    bound(&lab).await;
    let mut view = terminal(&lab.namespace, &["status", "--watch"], &[], (80, ROWS));
    let still = view
        .until("the picture is whole", |screen| screen.ends_with(LIVE))
        .await;
    let once = print_in(&lab.namespace, &["status"], 80).await;
    assert_eq!(settled(&still), settled(&once) + "\n" + LIVE);
    assert!(!view.shows_cursor() && view.is_aside());

    let ask = [
        "annotate",
        "bt",
        "laptop",
        "activebackup.dev/backup-requested=now",
    ];
    lab.namespace.kubectl(&ask).await.ok();
    let running = view
        .until("the run is shown", |screen| {
            screen.contains("Running ") && screen.contains('%')
        })
        .await;
    view.until("it gets on", |screen| screen.contains('%') && screen != running)
        .await;
    assert!(running.contains("1 task: 1 running"), "{running}");
    view.resize((140, 40));
    view.until("there is room for more", |screen| {
        screen.contains("WHY NOT") && screen.ends_with(LIVE)
    })
    .await;
    view.resize((60, 8));
    let small = view
        .until("there is room for less", |screen| {
            screen.contains("more lines") && screen.ends_with(LIVE)
        })
        .await;
    assert_eq!(view.broken_lines(), [""; 0]);
    assert!(small.lines().count() <= 8, "{small}");
    view.resize((80, ROWS));
    let over = view
        .until("the run is over", |screen| screen.contains("1 task: 1 fine"))
        .await;
    assert_eq!(over.matches("LAST RESULT").count(), 1, "{over}");
    view.until("its age grows", |screen| screen.ends_with(LIVE) && screen != over)
        .await;

    view.press("\x03");
    let (code, left) = view.ended().await;
    assert_eq!(code, 0);
    assert!(view.shows_cursor() && !view.is_aside());
    assert!(
        left.contains("1 task: 1 fine") && !left.contains("live;"),
        "{left}"
    );
}

#[tokio::test]
async fn an_api_server_that_is_away_is_said_and_found_again() {
    let lab = Lab::new("away").await;
    bound(&lab).await;
    let relay = Relay::start(lab.namespace.cluster().url()).await;
    let kubeconfig = relay.kubeconfig(lab.namespace.kubeconfig_path());
    let environment = [("KUBECONFIG", kubeconfig.to_str().unwrap()), ("LANG", "C.UTF-8")];
    let view = Terminal::start(
        env!("CARGO_BIN_EXE_kubectl-abb"),
        &["status", "-w"],
        &environment,
        (80, ROWS),
    );
    view.until("the picture is whole", |screen| screen.ends_with(LIVE))
        .await;
    for (number, state) in [Way::Cut, Way::Silent].into_iter().enumerate() {
        relay.be(state);
        let lost = view
            .until("it is said", |screen| screen.contains("disconnected since 20"))
            .await;
        assert!(lost.contains("1 fine"), "what was seen last stays: {lost}");
        let name = format!("new-{number}");
        lab.namespace.apply(&task(&name, TASK, "")).await.ok();
        relay.be(Way::Open);
        let again = view
            .until("it is found again", |screen| screen.ends_with(LIVE))
            .await;
        assert!(again.contains(&name), "{again}");
    }
}

#[tokio::test]
async fn a_file_gets_a_line_for_each_change() {
    let lab = Lab::new("lines").await;
    bound(&lab).await;
    let file = lab.namespace.cluster().directory().join("lines.txt");
    let kubeconfig = lab.namespace.kubeconfig_path().display().to_string();
    let arguments = ["status", "--watch"].map(str::to_owned);
    let program = Path::new(env!("CARGO_BIN_EXE_kubectl-abb"));
    let mut watch = Process::start(program, &arguments, &[("KUBECONFIG", kubeconfig)], &file).unwrap();
    let has = async |part: &str| {
        eventually(&format!("a line with {part}"), async || {
            let text = watch.output();
            if text.contains(part) { Ok(text) } else { Err(text) }
        })
        .await
    };
    has("1 task: 1 fine").await;
    let hold = ["annotate", "bt", "laptop", "activebackup.dev/suspended=true"];
    lab.namespace.kubectl(&hold).await.ok();
    has("Z  laptop: Idle, last Success (7544), ready True, Suspended: suspended: nothing is sent to the NAS")
        .await;
    lab.namespace.kubectl(&["delete", "bt", "laptop"]).await.ok();
    let text = has("Z  laptop: gone").await;
    assert!(
        !text.contains('\u{1b}') && text.matches("LAST RESULT").count() == 1,
        "{text}"
    );
    watch.signal("INT");
    let status = watch.ended_within(crate::harness::PATIENCE).await;
    assert_eq!(status.code(), Some(0), "{}", watch.output());
}

#[tokio::test]
async fn a_terminal_whose_cursor_stays_gets_lines_and_a_reader_that_goes_ends_it() {
    let lab = Lab::new("dumb").await;
    bound(&lab).await;
    let mut view = terminal(
        &lab.namespace,
        &["status", "--watch"],
        &[("TERM", "dumb")],
        (80, ROWS),
    );
    view.until("the picture", |screen| screen.contains("1 task: 1 fine"))
        .await;
    let mut reader = Command::new(env!("CARGO_BIN_EXE_kubectl-abb"))
        .args(["status", "--watch"])
        .env("KUBECONFIG", lab.namespace.kubeconfig_path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().unwrap().contains("1 fine") {}
    drop(lines);
    lab.namespace.apply(&task("second", "nothing", "")).await.ok();
    view.until("the change", |screen| screen.contains("second: Missing"))
        .await;
    let ended = tokio::time::timeout(crate::harness::PATIENCE, reader.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
    view.press("\x03");
    assert_eq!(view.ended().await.0, 0);
    assert!(!view.written().contains('\u{1b}'), "{:?}", view.written());
}

/// What happens to bytes on their way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Connections end, and no new one comes about.
    Cut,
    /// Connections stay, and nothing comes through any more.
    Silent,
}

/// A way to the API server that can be closed.
struct Relay {
    address: String,
    way: watch::Sender<Way>,
    server: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Relay {
    async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (way, seen) = watch::channel(Way::Open);
        let upstream = upstream.trim_start_matches("https://").to_owned();
        let server = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, upstream.clone(), seen.clone()));
            }
        });
        Self { address, way, server }
    }

    fn be(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// The kubeconfig with this way in it.
    fn kubeconfig(&self, of: &Path) -> PathBuf {
        let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(of).unwrap()).unwrap();
        config["clusters"][0]["cluster"]["server"] = format!("https://{}", self.address).into();
        let path = of.with_extension("relayed");
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }
}

/// Passes on what comes, as long as the way is open. A connection that was silent once stays so.
async fn pass(near: TcpStream, upstream: String, mut way: watch::Receiver<Way>) {
    let Ok(far) = TcpStream::connect(upstream).await else {
        return;
    };
    let (near, far) = (near.into_split(), far.into_split());
    let seen = way.clone();
    let one_way = async |mut from: OwnedReadHalf, mut to: OwnedWriteHalf| {
        let mut buffer = vec![0; 16384];
        loop {
            let count = from.read(&mut buffer).await.unwrap_or(0);
            if *seen.borrow() == Way::Silent {
                std::future::pending::<()>().await;
            }
            if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = one_way(near.0, far.1) => {}
        () = one_way(far.0, near.1) => {}
        _ = way.wait_for(|way| *way == Way::Cut) => {}
    }
}
