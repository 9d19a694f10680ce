//! abb-operator: declares backups of Synology Active Backup for Business in Kubernetes.
//!
//! Data flows one way, and imports point only down this list:
//!
//! ```text
//! Kubernetes ──┐
//!              ├─> observe ─> decide (pure) ─> act ─> status ─> Kubernetes
//! NAS list ────┘                                └─> nas (the only one who knows URLs)
//! ```

pub mod api;
pub mod decide;
pub mod nas;
pub mod observe;
pub mod status;
