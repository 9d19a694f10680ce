//! What the environment says: which sections, how large, and where the binary is. Everything has the size of the full
//! measurement by default and can be made small enough to be tried out in seconds.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The sizes and places of one measurement.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's program.
    pub operator: PathBuf,
    /// Sections to carry out; all when empty.
    only: Vec<String>,
    /// Pairs of operator and floor, in turns.
    pub pairs: usize,
    /// Single changes per arm and pair.
    pub changes: usize,
    /// Bursts per arm and pair, and changes in one.
    pub bursts: usize,
    pub burst: usize,
    /// Runs whose writes are counted.
    pub runs: usize,
    /// Removals whose writes are counted.
    pub removals: usize,
    /// The most tasks of one NAS.
    pub tasks: usize,
    /// Settled tasks while idle, and how long that is watched.
    pub idle_tasks: usize,
    pub idle: Duration,
    /// Tasks of the sustained load, over all its servers.
    pub sustained: usize,
    pub sustained_servers: usize,
    /// How long the ceiling of the API server is measured, each time.
    pub ceiling: Duration,
    /// Tasks there are at a start.
    pub start_tasks: usize,
    /// Servers and tasks of each that three replicas share.
    pub shared_servers: usize,
    pub shared_tasks: usize,
    /// Servers of which three tenths are in trouble.
    pub troubled_servers: usize,
    /// Kills and stops per arm.
    pub failovers: usize,
    /// Where the figures go.
    pub json: PathBuf,
    pub plot: PathBuf,
    /// The page of the documentation whose table is replaced.
    pub docs: Option<PathBuf>,
}

impl Settings {
    pub fn from_environment() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .unwrap()
            .to_owned();
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let seconds =
            |name: &str, otherwise: usize| Duration::from_secs(u64::try_from(size(name, otherwise)).unwrap());
        let idle_seconds = std::env::var("SCALE_IDLE_MINUTES").map_or(1800.0, |text| {
            text.parse::<f64>()
                .unwrap_or_else(|_| panic!("SCALE_IDLE_MINUTES must be a number, not {text:?}"))
                * 60.0
        });
        Self {
            operator: path("SCALE_OPERATOR")
                .unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_abb-operator"))),
            only: std::env::var("SCALE_ONLY")
                .unwrap_or_default()
                .split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
            pairs: size("SCALE_PAIRS", 5),
            changes: size("SCALE_CHANGES", 100),
            bursts: size("SCALE_BURSTS", 3),
            burst: size("SCALE_BURST", 100),
            runs: size("SCALE_RUNS", 40),
            removals: size("SCALE_REMOVALS", 5),
            tasks: size("SCALE_TASKS", 10_000),
            idle_tasks: size("SCALE_IDLE_TASKS", 1000),
            idle: Duration::from_secs_f64(idle_seconds),
            sustained: size("SCALE_SUSTAINED", 4000),
            sustained_servers: size("SCALE_SUSTAINED_SERVERS", 10),
            ceiling: seconds("SCALE_CEILING_SECONDS", 5),
            start_tasks: size("SCALE_START_TASKS", 1000),
            shared_servers: size("SCALE_SERVERS", 90),
            shared_tasks: size("SCALE_SERVER_TASKS", 100),
            troubled_servers: size("SCALE_TROUBLED_SERVERS", 100),
            failovers: size("SCALE_FAILOVERS", 5),
            json: path("SCALE_JSON").unwrap_or_else(|| target.join("scale.json")),
            plot: path("SCALE_PLOT").unwrap_or_else(|| target.join("scale.svg")),
            docs: path("SCALE_DOCS"),
        }
    }

    /// Whether a section is asked for.
    pub fn wants(&self, section: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == section)
    }
}

fn size(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}"))
    })
}
