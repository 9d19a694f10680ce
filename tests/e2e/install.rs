//! Helm: install, upgrade, rollback, uninstall, on a cluster with the strictest policies.
