//! The name that was probably meant.

/// The known name that differs least, if it differs little.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let distance = |known: &str| {
        let known = known.to_lowercase();
        if lower == known {
            return 0;
        }
        // A part left out (`backoff`) or something added (`suspended`) is as near as a slip of the finger.
        let is_longer = lower.contains(&known) && lower.len() * 2 <= known.len() * 3;
        if is_longer || lower.len() > 3 && known.contains(&lower) {
            return 1;
        }
        strsim::damerau_levenshtein(&lower, &known)
    };
    known
        .into_iter()
        .map(|known| (distance(known), known))
        .min()
        .filter(|(distance, known)| *distance <= 1 + known.len().min(name.len()) / 4)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_named_and_a_far_one_is_not() {
        let known = [
            "suspend",
            "retries",
            "retryBackoff",
            "removal",
            "task",
            "triggers",
            "historyLimit",
        ];
        for (name, meant) in [
            ("suspended", Some("suspend")),
            ("retrys", Some("retries")),
            ("retrybackoff", Some("retryBackoff")),
            ("backoff", Some("retryBackoff")),
            ("trigger", Some("triggers")),
            ("taks", Some("task")),
            ("Removal", Some("removal")),
            ("removalPolicyOfTheTask", None),
            ("cron", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
    }
}
