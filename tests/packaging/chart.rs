//! What the chart renders, what its schema refuses.
