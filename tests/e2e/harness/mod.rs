//! The control plane the tests run against: etcd, kube-apiserver, kube-controller-manager, kubectl and helm as real
//! processes on loopback ports, started once per test process and gone with it. Tests take a namespace of their own
//! from [`cluster`], so they run side by side; nothing here knows what is tested. The operator runs with the token of
//! the service account that the chart makes.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test file uses a part of the harness"
)]

pub mod binaries;
mod certificates;
mod cluster;
mod control_plane;
mod eventually;
pub mod go;
mod namespace;
pub mod operator;
pub mod process;
pub mod rights;
pub mod snapshot;
mod terminal;
mod workspace;

pub use cluster::{Cluster, cluster, own_cluster};
pub use eventually::{PATIENCE, eventually, eventually_within};
pub use namespace::{Namespace, Output};
pub use operator::Operator;
pub use terminal::Terminal;

/// User name of the requests of the tests and of kubectl.
pub const TEST_USER: &str = "test";
