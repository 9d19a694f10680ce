//! The dashboard speaks of metrics that exist.
