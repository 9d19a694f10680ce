//! What is installed, looked at without a cluster: the chart and what it renders, manifests, alert rules, dashboard,
//! documentation and image. Each file holds one subject; programs (helm, promtool) are the real ones, built from pinned
//! Go modules.

#![allow(clippy::unwrap_used)]

#[path = "../e2e/harness/binaries.rs"]
#[allow(dead_code, reason = "a part of the programs is used here")]
mod binaries;
#[path = "../e2e/harness/go.rs"]
mod go;

mod alerts;
mod chart;
mod dashboard;
mod docs;
mod gitops;
mod image;
mod krew;
mod manifests;
mod metrics;
mod observed;
mod rootfs;
