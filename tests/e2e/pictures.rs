//! The pictures of the README and of `docs`: drawn from real runs in a pseudo-terminal. A picture is stale when what a
//! terminal shows today differs from it in more than times and ages, in words or in colours. `UPDATE_PICTURES=1` draws them
//! anew.

use std::{fs, path::Path};

use abb_operator::simulator::{Control, Origin, ResultSpec, Scenario, TaskSpec};
use jiff::{SignedDuration, Timestamp};

use crate::{
    harness::{Terminal, eventually, snapshot},
    lab::{Lab, condition, server, task},
};

const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/images");
/// As wide as a README shows without scrolling.
const SIZE: (u16, u16) = (100, 40);
const UTF_8: (&str, &str) = ("LANG", "C.UTF-8");

/// Compares the screen of a command with the picture of that name.
fn compare(name: &str, command: &str, terminal: &Terminal) {
    let screen = terminal.coloured();
    let blank = "\u{1b}[0m\n";
    let mut shown = screen.as_str();
    while let Some(rest) = shown.strip_suffix(blank).filter(|rest| rest.ends_with('\n')) {
        shown = rest;
    }
    let text = format!("\u{1b}[1m$ {command}\u{1b}[0m\n{shown}");
    let picture = anstyle_svg::Term::new().render_svg(&text);
    let path = Path::new(IMAGES).join(format!("{name}.svg"));
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        fs::write(&path, &picture).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        pieces(&kept) == pieces(&picture),
        "docs/images/{name}.svg is stale: look at what is shown, and draw it anew with UPDATE_PICTURES=1\n{}\nis kept, shown is\n{}",
        pieces(&kept).join("\n"),
        pieces(&picture).join("\n"),
    );
}

/// The pieces of a picture with their styles, without what differs from run to run.
fn pieces(picture: &str) -> Vec<String> {
    let piece = regex::Regex::new(r#"<tspan(?: class="([^"]*)")?>([^<]*)</tspan>"#).unwrap();
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    let percent = regex::Regex::new(r"Running \d+%").unwrap();
    let found = piece.captures_iter(picture).map(|found| {
        let text = snapshot::normalised(found.get(2).map_or("", |text| text.as_str()));
        let text = port.replace_all(&text, "127.0.0.1:PORT");
        let text = percent.replace_all(&text, "Running N%");
        let words: Vec<&str> = text.split_whitespace().collect();
        format!(
            "{}: {}",
            found.get(1).map_or("", |class| class.as_str()),
            words.join(" ")
        )
    });
    found.filter(|piece| !piece.ends_with(": ")).collect()
}

#[tokio::test]
async fn of_the_demo() {
    let mut terminal = Terminal::start(env!("CARGO_BIN_EXE_abb-operator"), &["demo"], &[UTF_8], SIZE);
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 0, "{screen}");
    compare("demo", "cargo run --release -- demo", &terminal);
}

#[tokio::test]
async fn the_demo_fits_narrow_and_wide_terminals() {
    let at = |width: u16| async move {
        let program = env!("CARGO_BIN_EXE_abb-operator");
        let mut terminal = Terminal::start(program, &["demo"], &[UTF_8], (width, 40));
        let (code, screen) = terminal.ended().await;
        assert_eq!(code, 0, "{screen}");
        let port = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
        snapshot::compare(
            &format!("demo-{width}"),
            &port.replace_all(&screen, "127.0.0.1:PORT"),
        );
    };
    futures::future::join(at(80), at(140)).await;
}

fn result(status: i64, hours: i64, bytes: i64) -> ResultSpec {
    let ended = Timestamp::now() - SignedDuration::from_hours(hours);
    ResultSpec {
        status: Some(status),
        time_start: Some((ended - SignedDuration::from_secs(522)).as_second()),
        time_end: Some(ended.as_second()),
        transfered_bytes: Some(bytes),
        ..ResultSpec::default()
    }
}

#[tokio::test]
async fn of_the_status() {
    let on_nas = |name: &str, last: Option<ResultSpec>| TaskSpec {
        name: Some(name.to_owned()),
        last_result: last,
        run_seconds: Some(3e9),
        ..TaskSpec::default()
    };
    let scenario = Scenario {
        tasks: vec![
            on_nas("Laptop", Some(result(2, 9, 4_754_168_380))),
            on_nas("Files", Some(result(2, 30, 81_000_000_000))),
            on_nas("Mail", Some(result(4, 5, 0))),
            on_nas("Old-PC", Some(result(2, 400, 1_000_000))),
            on_nas("Phone", None),
        ],
        ..Scenario::default()
    };
    let lab = Lab::with("picture", scenario, 1.0).await;
    let origin = Origin::Person;
    lab.nas.control(Control::StartTask { id: 2, origin }).unwrap();
    let scheduled =
        "triggers: {schedule: \"30 2 * * *\", timeZone: Europe/Berlin, maxAge: 26h}\nreadiness: Fresh";
    let held = task("old-pc", "Old-PC", "suspend: true");
    let manifests = [
        server(&lab.nas, ""),
        task("laptop", "Laptop", scheduled),
        task("files", "Files", ""),
        task("mail", "Mail", "readiness: LastBackup"),
        held,
        task("tablet", "Tablet", ""),
    ];
    lab.namespace.apply(&manifests.join("---\n")).await.ok();
    for (name, reason) in [
        ("laptop", "WithinMaxAge"),
        ("mail", "BackupFailed"),
        ("old-pc", "Suspended"),
        ("tablet", "TaskNotFound"),
    ] {
        eventually(&format!("{name} is {reason}"), async || {
            let status = lab.namespace.get("bt", name).await["status"].take();
            let is_so = condition(&status, "Ready")["reason"] == reason;
            if is_so { Ok(()) } else { Err(format!("{status:#}")) }
        })
        .await;
    }
    eventually("files runs", async || {
        let status = lab.namespace.get("bt", "files").await["status"].take();
        (status["state"] == "Running").then_some(())
    })
    .await;
    // The server's count follows when it has been wrong for as long as an idle poll takes.
    eventually("its server counts it", async || {
        let counts = lab.namespace.get("bsrv", "nas").await["status"]["tasks"].take();
        (counts["running"] == 1).then_some(())
    })
    .await;
    let kubeconfig = lab.namespace.kubeconfig_path().display().to_string();
    let environment = [("KUBECONFIG", kubeconfig.as_str()), UTF_8];
    let program = env!("CARGO_BIN_EXE_kubectl-abb");
    let mut terminal = Terminal::start(program, &["status"], &environment, SIZE);
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 0, "{screen}");
    compare("status", "kubectl abb status", &terminal);
}

#[tokio::test]
async fn of_a_plan_that_destroys() {
    let nas = crate::pulls::office().await;
    let place = crate::pulls::checkout("removal-now", &nas);
    let environment = crate::pulls::account(&nas);
    let mut terminal = crate::pulls::terminal(place.path(), "plan -f backups", &environment, SIZE);
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 2, "{screen}");
    compare("plan", "abb-operator plan -f backups/", &terminal);
}
