//! What may stay in a recording, and what kind of pseudonym stands for the rest.
//!
//! A text stays where its field is named here *and* it looks as the values of that field do. The words of enumerations
//! consist of letters alone, so no name with a digit, a dash or a dot ever passes for one.

use std::net::IpAddr;

use uuid::Uuid;

use super::Place;

/// Kinds of what identifies someone or something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Address,
    Uuid,
    Path,
    Serial,
    Host,
    User,
    Task,
    Share,
    Text,
    /// A key that is no name of a field.
    Key,
    /// A number of an account.
    Person,
}

/// Fields whose values are words of an enumeration.
const ENUMERATIONS: [&str; 13] = [
    "status",
    "target_status",
    "agent_status",
    "agent_driver_status",
    "driver_status",
    "view_type",
    "repeat_type",
    "requestFormat",
    "role",
    "additional",
    "order_by",
    "direction",
    "query",
];

/// Fields whose values are versions.
const VERSIONS: [&str; 3] = ["version", "version_string", "firmware_ver"];

/// Fields that name a model of Synology's.
const MODELS: [&str; 2] = ["model", "dsm_model"];

/// The words that names of operating systems are made of; numbers go between them.
const SYSTEM_WORDS: [&str; 36] = [
    "Windows",
    "Server",
    "Pro",
    "Professional",
    "Enterprise",
    "Education",
    "Home",
    "Standard",
    "Datacenter",
    "Essentials",
    "bit",
    "R2",
    "LTS",
    "x64",
    "x86",
    "Linux",
    "GNU",
    "Ubuntu",
    "Debian",
    "CentOS",
    "Red",
    "Hat",
    "RHEL",
    "Fedora",
    "SUSE",
    "openSUSE",
    "SLES",
    "Oracle",
    "Rocky",
    "AlmaLinux",
    "macOS",
    "Mac",
    "OS",
    "DSM",
    "VMware",
    "Photon",
];

/// Fields of a request that say where it goes, or belong to the session.
const ROUTING: [&str; 8] = [
    "api",
    "version",
    "method",
    "_sid",
    "sid",
    "SynoToken",
    "synotoken",
    "X-SYNO-TOKEN",
];

/// Numbers of accounts.
const PERSONS: [&str; 8] = [
    "uid",
    "gid",
    "user_id",
    "group_id",
    "owner_id",
    "login_user_id",
    "trigger_uid",
    "trigger_gid",
];

/// The longest name of a field.
const LONGEST_NAME: usize = 64;

pub(super) fn is_routing(name: &str) -> bool {
    ROUTING.contains(&name)
}

pub(super) fn identifies_a_person(field: &str) -> bool {
    PERSONS.contains(&field)
}

/// Whether a key can be the name of a field: no host, no address, no name with a dot, a dash or a space.
pub(super) fn is_identifier(key: &str) -> bool {
    key.len() <= LONGEST_NAME
        && key.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a key names an API, as the catalogue does.
pub(super) fn is_api(key: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    key.len() <= LONGEST_NAME && key.starts_with("SYNO.") && key.split('.').all(plain)
}

/// Whether a text is a number of ordinary size and nothing else.
pub(super) fn is_number(text: &str) -> bool {
    let digits =
        |part: &str| (1..=20).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    text.split_once('.').map_or_else(
        || digits(text),
        |(whole, fraction)| digits(whole) && digits(fraction),
    )
}

/// Whether a text may stay as it is.
pub(super) fn may_stay(field: &str, place: Place, text: &str) -> bool {
    if is_number(text) {
        return !is_name(field);
    }
    if matches!(text, "true" | "false" | "yes" | "no") {
        return true;
    }
    match (place, field) {
        (Place::Errors, "name" | "reason" | "type") | (Place::Settings, "name") => is_lower_word(text),
        (Place::Packages, "id") => is_word(text),
        (Place::Catalogue, "path") => is_script(text),
        (_, "backup_window") => text.len() <= 400 && text.bytes().all(|byte| matches!(byte, b'0' | b'1')),
        (_, "os_name") => is_system(text),
        _ if ENUMERATIONS.contains(&field) => is_word(text),
        _ if VERSIONS.contains(&field) => is_version(text),
        _ if MODELS.contains(&field) => is_model(text),
        _ => false,
    }
}

/// What stands for a text that may not stay.
pub(super) fn kind(field: &str, text: &str) -> Kind {
    if text.parse::<IpAddr>().is_ok() {
        return Kind::Address;
    }
    let field = field.to_ascii_lowercase();
    let has = |part: &str| field.contains(part);
    if has("serial") {
        Kind::Serial
    } else if has("uuid") || has("unikey") || Uuid::try_parse(text).is_ok() {
        Kind::Uuid
    } else if has("path") || has("dir") || has("folder") || has("volume") || text.starts_with('/') {
        Kind::Path
    } else if has("host") || has("device_name") || has("address") || has("server") {
        Kind::Host
    } else if has("user") || has("account") || has("owner") {
        Kind::User
    } else if has("task_name") {
        Kind::Task
    } else if has("share") {
        Kind::Share
    } else {
        Kind::Text
    }
}

/// Whether the values of a field are names, also where they consist of digits.
fn is_name(field: &str) -> bool {
    let field = field.to_ascii_lowercase();
    ["name", "user", "account", "owner", "key_word"]
        .iter()
        .any(|end| field.ends_with(end))
        || field.contains("serial")
}

fn is_word(text: &str) -> bool {
    text.len() <= 32
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn is_lower_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn is_script(text: &str) -> bool {
    text.strip_suffix(".cgi")
        .is_some_and(|name| !name.is_empty() && is_word(name))
}

/// Such as `7.2.1-69057` or `DSM 7.2.1-69057 Update 5`.
fn is_version(text: &str) -> bool {
    let part = |part: &str| {
        matches!(part, "DSM" | "Update" | "RC" | "Beta")
            || part.split(['.', '-']).all(|number| {
                (1..=6).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
            })
    };
    text.len() <= 40 && text.split(' ').all(part)
}

/// Such as `DS918+` or `RS1221RP+`.
fn is_model(text: &str) -> bool {
    let rest = text.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
    let series = text.len() - rest.len();
    let end = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let digits = rest.len() - end.len();
    (2..=4).contains(&series)
        && (2..=4).contains(&digits)
        && end.len() <= 4
        && end.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'+')
}

fn is_system(text: &str) -> bool {
    let part = |part: &str| {
        part.is_empty()
            || SYSTEM_WORDS.contains(&part)
            || (part.len() <= 12 && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    };
    text.len() <= 64 && text.split([' ', '(', ')', '-', '/']).all(part)
}
