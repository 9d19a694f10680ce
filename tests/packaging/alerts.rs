//! The alert rules, each firing and not firing, by promtool.
