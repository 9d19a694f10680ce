//! The shape of a schedule as one regular expression, so that the API server refuses what is always wrong.
//! What only a calendar can judge (31 February, a reversed range) is `InvalidSchedule` in the status.

/// Vixie cron: five fields of `*`, numbers, ranges, steps and lists, names of months and days, or a macro.
/// RE2 and ECMA syntax alike; meant for texts of at most 128 characters.
pub(super) fn schedule_pattern() -> String {
    let field = |value: &str| {
        let part = format!(r"([*](/0*[1-9][0-9]?)?|({value})(-({value})(/0*[1-9][0-9]?)?)?)");
        format!("{part}(,{part})*")
    };
    let minute = field("[0-5]?[0-9]");
    let hour = field("[01]?[0-9]|2[0-3]");
    let day = field("0?[1-9]|[12][0-9]|3[01]");
    let month = field(&format!(
        "0?[1-9]|1[0-2]|{}",
        names("jan feb mar apr may jun jul aug sep oct nov dec")
    ));
    let weekday = field(&format!("0?[0-7]|{}", names("sun mon tue wed thu fri sat")));
    format!(
        "^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|{minute}[ \\t]+{hour}[ \\t]+{day}[ \\t]+{month}[ \\t]+{weekday})$"
    )
}

/// Names in any case; written out because a flag group is not part of every dialect.
fn names(list: &str) -> String {
    let any_case = |word: &str| {
        word.chars()
            .map(|c| format!("[{}{c}]", c.to_ascii_uppercase()))
            .collect::<Vec<_>>()
            .concat()
    };
    list.split(' ').map(any_case).collect::<Vec<_>>().join("|")
}
