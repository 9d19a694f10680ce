//! The siblings of `SYNO.ActiveBackup.Task` that the client knows, and the parts of DSM that it asks.

use super::Confidence::{Code, Documented, Inferred};
use super::{Confidence, Effect, Kind, Method, Parameter, optional, required};
use crate::nas::error::Call;
use crate::nas::request::siblings::{COMPOUND, DEVICE, LOG, OVERVIEW, PACKAGE, SETTING, VERSION};

const fn reads(
    call: Call,
    version: i64,
    (fact, confidence): (&'static str, Confidence),
    answer: &'static str,
    unknown: &'static str,
    parameters: &'static [Parameter],
) -> Method {
    Method {
        call,
        version,
        effect: Effect::Reads,
        confidence,
        fact,
        answer,
        unknown,
        parameters,
    }
}

const fn call(api: &'static str, method: &'static str) -> Call {
    Call { api, method }
}

pub(super) const METHODS: &[Method] = &[
    reads(
        call(LOG, "list_result"),
        1,
        ("4", Documented),
        "results, count of all that match",
        "the order of its rows without times, and the largest limit",
        &[
            optional("task_id", Kind::Integer, "4", Documented, "ListResults"),
            optional("filter", Kind::Object, "4", Documented, "ListResults"),
            optional("offset", Kind::Integer, "4", Documented, "ListResults"),
            optional("limit", Kind::Integer, "4", Documented, "ListResults"),
        ],
    ),
    reads(
        call(LOG, "list_log"),
        1,
        ("4", Documented),
        "logs, count of all that match",
        "the order of its rows",
        &[
            optional("task_id", Kind::Integer, "4", Documented, "list_log"),
            optional("filter", Kind::Object, "4", Documented, "list_log"),
            optional("offset", Kind::Integer, "4", Documented, "list_log"),
            optional("limit", Kind::Integer, "4", Documented, "list_log"),
        ],
    ),
    reads(
        call(LOG, "list_result_detail"),
        1,
        ("4", Documented),
        "result_detail_list, count",
        "",
        &[
            required("result_id", Kind::Integer, "4", Inferred, "ListResultDetail"),
            optional("offset", Kind::Integer, "4", Documented, "ListResultDetail"),
            optional("limit", Kind::Integer, "4", Documented, "ListResultDetail"),
            optional("order_by", Kind::Text, "4", Documented, "ListResultDetail"),
            optional("direction", Kind::Text, "4", Documented, "ListResultDetail"),
        ],
    ),
    reads(
        call(OVERVIEW, "list_activity"),
        1,
        ("4", Code),
        "activity_list, total",
        "whether a queued run is in it on every version of the package",
        &[],
    ),
    reads(
        call(OVERVIEW, "list_device_transfer_size"),
        1,
        ("4", Documented),
        "the runs of each device",
        "the names of the lists around its rows",
        &[
            required("time_start", Kind::Integer, "4", Documented, "ListTransfers"),
            optional("time_end", Kind::Integer, "4", Documented, "ListTransfers"),
        ],
    ),
    reads(
        call(VERSION, "list"),
        1,
        ("4", Documented),
        "versions, total",
        "",
        &[required("task_id", Kind::Integer, "4", Inferred, "list_versions")],
    ),
    Method {
        call: call(VERSION, "delete"),
        version: 1,
        effect: Effect::Destroys,
        confidence: Documented,
        fact: "4",
        answer: "not recorded",
        unknown: "what it answers for a locked version; it destroys the versions, and nothing brings them back",
        parameters: &[
            required("task_id", Kind::Integer, "4", Documented, "DeleteVersions"),
            required("version_ids", Kind::Integers, "4", Documented, "DeleteVersions"),
        ],
    },
    reads(
        call(DEVICE, "list"),
        1,
        ("4", Documented),
        "devices, total, total_devices_of_backup_type",
        "",
        &[
            optional("load_result", Kind::Boolean, "4", Documented, "ListDevices"),
            optional("filter", Kind::Object, "4", Documented, "ListDevices"),
            optional("offset", Kind::Integer, "4", Documented, "ListDevices"),
            optional("limit", Kind::Integer, "4", Documented, "ListDevices"),
        ],
    ),
    reads(
        call(SETTING, "list"),
        1,
        ("4", Documented),
        "settings by name, every value a string; cert_info, cert_use_package",
        "",
        &[],
    ),
    reads(
        call("SYNO.DSM.Info", "getinfo"),
        2,
        ("4", Documented),
        "model, version, serial, uptime",
        "",
        &[],
    ),
    reads(
        call(PACKAGE, "list"),
        2,
        ("4", Documented),
        "packages with version and state",
        "",
        &[optional(
            "additional",
            Kind::Texts,
            "4",
            Documented,
            "list_packages",
        )],
    ),
    reads(
        call("SYNO.API.Info", "query"),
        1,
        ("1.1", Documented),
        "the APIs with path and versions",
        "whether the beginning of a name selects all that begin so",
        &[optional("query", Kind::Text, "1.1", Code, "api_info")],
    ),
    Method {
        call: call(COMPOUND, "request"),
        version: 1,
        // A part can be any call.
        effect: Effect::Changes,
        confidence: Code,
        fact: "1.8",
        answer: "the answers of its parts, has_fail",
        unknown: "what its parts do: any call can be one",
        parameters: &[
            required("compound", Kind::Objects, "1.8", Code, "compound"),
            optional("mode", Kind::Text, "1.8", Code, "compound"),
            optional("stop_when_error", Kind::Boolean, "1.8", Inferred, "compound"),
        ],
    },
];
