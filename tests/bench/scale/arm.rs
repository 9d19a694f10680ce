//! What is measured: a process of the operator or of the floor, and what the kernel says of it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    floor,
    ground::Ground,
    harness::{eventually_within, operator::listening_at, process::Process, rights::RELEASE},
    nas::ROLE,
    settings::Settings,
};

/// Telling the processes apart.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A pass under way is finished first, and with thousands of statuses to write that takes a while.
const END_WITHIN: Duration = Duration::from_mins(5);

/// The two arms of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    Operator,
    Floor,
}

pub const ARMS: [Arm; 2] = [Arm::Operator, Arm::Floor];

impl Arm {
    /// Starts this arm on a ground.
    pub fn start(self, settings: &Settings, ground: &Ground) -> Running {
        match self {
            Self::Operator => operator(settings, ground, &[]),
            Self::Floor => {
                let environment = [
                    (ROLE, floor::FLOOR.to_owned()),
                    (floor::PLAN, ground.floor_plan()),
                ];
                let program = std::env::current_exe().unwrap();
                Running::start(&program, &[], &environment, &ground.directory())
            }
        }
    }
}

/// Starts the operator; a flag in `arguments` takes the place of the bench's own.
pub fn operator(settings: &Settings, ground: &Ground, arguments: &[&str]) -> Running {
    operator_as(
        settings,
        ground,
        arguments,
        ground.namespace.operator_kubeconfig_path(),
    )
}

/// The same with a kubeconfig of its own.
pub fn operator_as(settings: &Settings, ground: &Ground, arguments: &[&str], kubeconfig: &Path) -> Running {
    let namespace = ground.namespace.name();
    let defaults = [
        ("--watch-namespace", namespace),
        ("--listen", "127.0.0.1:0"),
        ("--lease-namespace", namespace),
        ("--lease-name", RELEASE),
        ("--lease-duration", "60s"),
        ("--log-format", "json"),
    ];
    let mut command = vec!["run".to_owned()];
    for (flag, value) in defaults.iter().filter(|(flag, _)| !arguments.contains(flag)) {
        command.extend([(*flag).to_owned(), (*value).to_owned()]);
    }
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let environment = [("KUBECONFIG", kubeconfig.display().to_string())];
    Running::start(&settings.operator, &command, &environment, &ground.directory())
}

/// Whether the operator knows a flag of `run`: binaries of different days are measured alike.
pub fn knows(settings: &Settings, flag: &str) -> bool {
    let help = std::process::Command::new(&settings.operator)
        .args(["run", "--help"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&help.stdout).contains(flag)
}

/// A process under measurement; killed when dropped.
pub struct Running {
    process: Process,
    pub pid: u32,
    /// When it was asked to start, microseconds since 1970.
    pub spawned: i64,
}

/// What a process holds in memory, KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub resident: f64,
    pub anonymous: f64,
    pub file: f64,
    /// The most that was resident since the peak was last reset.
    pub peak: f64,
}

impl Running {
    fn start(program: &Path, arguments: &[String], environment: &[(&str, String)], folder: &Path) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let told: PathBuf = folder.join(format!("measured-{number}.pid"));
        let log = folder.join(format!("measured-{number}.log"));
        // The shell becomes the program and keeps its number.
        let mut command = vec![
            "-c".to_owned(),
            "echo $$ >\"$0.new\"; mv \"$0.new\" \"$0\"; exec \"$@\"".to_owned(),
            told.display().to_string(),
            program.display().to_string(),
        ];
        command.extend(arguments.iter().cloned());
        let spawned = Timestamp::now().as_microsecond();
        let process = Process::start(Path::new("sh"), &command, environment, &log).unwrap();
        let pid = loop {
            if let Some(pid) = fs::read_to_string(&told)
                .ok()
                .and_then(|text| text.trim().parse().ok())
            {
                break pid;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        Self {
            process,
            pid,
            spawned,
        }
    }

    pub fn log(&self) -> String {
        self.process.output()
    }

    /// Waits until the operator's probe says that it is ready, or the floor's log says that it watches.
    pub async fn wait_ready(&mut self) {
        eventually_within("the process is ready", Duration::from_mins(2), async || {
            if let Some(status) = self.process.exit_status() {
                panic!("the process ended ({status}):\n{}", self.log());
            }
            let log = self.log();
            if log.contains(floor::WATCHES) {
                return Ok(());
            }
            let address = log.lines().find_map(address).ok_or("it does not listen")?;
            let answer = reqwest::get(format!("http://{address}/readyz")).await;
            let answer = answer.map_err(|error| error.to_string())?;
            if answer.status().is_success() {
                Ok(())
            } else {
                Err(answer.text().await.unwrap_or_default())
            }
        })
        .await;
    }

    /// SIGTERM, and the wait for an orderly end.
    pub async fn stop(mut self) {
        self.process.signal("TERM");
        self.process.ended_within(END_WITHIN).await;
    }

    pub fn signal(&mut self, name: &str) {
        self.process.signal(name);
    }

    pub async fn ended(&mut self) {
        self.process.ended_within(END_WITHIN).await;
    }

    /// Time on a processor so far, milliseconds.
    pub fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        // The name may hold anything but ends with the last bracket; user and system time are fields 14 and 15.
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        // Linux counts a hundred a second towards programs, whatever it does inside.
        ticks * 10.0
    }

    pub fn memory(&self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let text = line.and_then(|line| line.split_whitespace().nth(1));
            text.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
        };
        Memory {
            resident: field("VmRSS"),
            anonymous: field("RssAnon"),
            file: field("RssFile"),
            peak: field("VmHWM"),
        }
    }

    /// Lets the peak begin anew from what is resident now.
    pub fn reset_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.pid), "5").unwrap();
    }
}

/// Where the operator serves its probes, from a line of its log.
fn address(line: &str) -> Option<String> {
    listening_at(&serde_json::from_str(line).ok()?)
}
