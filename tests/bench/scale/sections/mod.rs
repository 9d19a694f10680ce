//! The sections in the order in which they are carried out: those with a clock first, of them the finest first and before these
//! the start, as the API server keeps what it had to do with; those that only count last.

mod failover;
mod idle;
mod latency;
mod lists;
mod memory;
mod replicas;
mod size;
mod start;
mod sustained;
mod troubles;
mod writes;

use crate::{report::Report, settings::Settings};

/// Their names, for `SCALE_ONLY`.
pub const ALL: [&str; 12] = [
    "size",
    "start",
    "latency",
    "alike",
    "sustained",
    "failover",
    "replicas",
    "troubles",
    "writes",
    "lists",
    "memory",
    "idle",
];

pub async fn measure(section: &str, settings: &Settings, report: &mut Report) {
    match section {
        "size" => size::measure(settings, report),
        "latency" => latency::measure(settings, report).await,
        "alike" => latency::alike(settings, report).await,
        "sustained" => sustained::measure(settings, report).await,
        "writes" => writes::measure(settings, report).await,
        "lists" => lists::measure(settings, report).await,
        "memory" => memory::measure(settings, report).await,
        "start" => start::measure(settings, report).await,
        "failover" => failover::measure(settings, report).await,
        "replicas" => replicas::measure(settings, report).await,
        "troubles" => troubles::measure(settings, report).await,
        "idle" => idle::measure(settings, report).await,
        other => panic!("no section {other}"),
    }
}
