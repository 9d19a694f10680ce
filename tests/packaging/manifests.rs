//! The plain manifests are those of the chart.
