//! abb-operator: declares backups of Synology Active Backup for Business in Kubernetes.
//!
//! Data flows one way, and imports point only down this list:
//!
//! ```text
//! Kubernetes ──┐
//!              ├─> observe ─> decide (pure) ─> act ─> status ─> Kubernetes
//! NAS list ────┘                                └─> nas (the only one who knows URLs)
//! ```

pub mod act;
pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod controller;
pub mod decide;
#[cfg(feature = "terminal")]
pub mod manifest;
pub mod nas;
pub mod observe;
pub mod record;
pub mod serve;
pub mod simulator;
#[cfg(feature = "terminal")]
pub mod standalone;
pub mod status;
pub mod telemetry;

/// Makes ring the process's TLS implementation. Once per process; a second call changes nothing.
pub fn install_crypto() {
    // The only error is that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
