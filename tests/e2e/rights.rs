//! The rights of the chart are those that are used.
