//! abb-operator: declares backups of Synology Active Backup for Business in Kubernetes.

pub mod api;
