//! Percentiles and medians. Few values are given as they are: the spread is the smallest and the largest.

/// The value below which a part of the samples lies, by the nearest rank; NaN without samples.
pub fn percentile(samples: &[f64], part: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank is a small whole number"
    )]
    let rank = ((part * sorted.len() as f64).ceil() as usize).max(1);
    sorted
        .get(rank.min(sorted.len()).wrapping_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

/// The middle one, or the mean of the two in the middle; NaN without samples.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

pub fn least(samples: &[f64]) -> f64 {
    samples.iter().copied().fold(f64::NAN, f64::min)
}

pub fn most(samples: &[f64]) -> f64 {
    samples.iter().copied().fold(f64::NAN, f64::max)
}

/// A count as a number to reckon with.
#[allow(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
pub fn number(count: usize) -> f64 {
    count as f64
}

/// Microseconds as milliseconds.
#[allow(clippy::cast_precision_loss, reason = "a span, not a time")]
pub fn milliseconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1000.0
}
