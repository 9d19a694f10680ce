//! The container image: one static binary that finds names, zones and roots.
