//! Refused logins, counted by the simulator: one per version of the Secret in the first hour, then ever fewer, and one
//! more when the Secret is mended. Nothing else of a Secret, and no restart, asks again.

use std::time::Duration;

use abb_operator::{
    api::{BackupServer, ConditionType, Reason, condition},
    simulator::{Control, ErrorShape, Fault as NasFault, FaultKind, RequestRecord},
};
use jiff::Timestamp;
use serde_json::json;

use super::{
    faults::{Fault, Plan},
    run,
    scenarios::{self, Do, Scenario, server, story},
    stories,
};

const HOUR: u64 = 3600;
/// `polling.active` of the stories.
const ACTIVE: u64 = 10;

/// A NAS that refuses logins with this code until its faults are cleared.
fn refusing(code: i64) -> Scenario {
    let mut scenario = story("a refused login", &json!({ "triggers": { "request": "a" } }));
    let refused = NasFault::new(FaultKind::ErrorCode { code });
    scenario.nas.faults = vec![refused.on("SYNO.API.Auth", "login").times(0)];
    scenario
}

/// Each code of a refused login, and the reason that the server shows.
fn codes() -> [(i64, Reason); 12] {
    [
        (400, Reason::CredentialsRejected),
        (401, Reason::CredentialsRejected),
        (402, Reason::PermissionDenied),
        (403, Reason::SecondFactorRequired),
        (404, Reason::SecondFactorRequired),
        (405, Reason::CredentialsRejected),
        (406, Reason::SecondFactorRequired),
        (407, Reason::AccountBlocked),
        (408, Reason::CredentialsRejected),
        (409, Reason::CredentialsRejected),
        (410, Reason::CredentialsRejected),
        (411, Reason::AccountBlocked),
    ]
}

/// What was seen at the end of some time.
struct Seen {
    /// Seconds at which a login was asked for.
    logins: Vec<u64>,
    server: BackupServer,
}

fn seen_after(seconds: u64, scenario: &Scenario, plan: &Plan) -> Seen {
    let (requests, server) = run::watch(scenario, plan, Duration::from_secs(seconds));
    let is_login = |request: &&RequestRecord| request.api == "SYNO.API.Auth" && request.method == "login";
    let second = |request: &RequestRecord| {
        let at: Timestamp = request.at.parse().unwrap();
        u64::try_from(at.duration_since(scenarios::start()).as_secs()).unwrap()
    };
    Seen {
        logins: requests.iter().filter(is_login).map(second).collect(),
        server,
    }
}

/// Whether `Ready` is so, for that reason, and `Stalled` stands where it is not.
fn shows(server: &BackupServer, status: &str, reason: Reason) -> bool {
    let conditions = &server.status.as_ref().unwrap().conditions;
    let of = |kind, status: &str| {
        condition(conditions, kind)
            .is_some_and(|found| found.status == status && found.reason == reason.as_str())
    };
    let is_stalled = of(ConditionType::Stalled, "True");
    of(ConditionType::Ready, status) && is_stalled == (status == "False")
}

#[test]
fn each_refusal_is_one_login_in_the_first_hour() {
    for (code, reason) in codes() {
        let seen = seen_after(HOUR - 1, &refusing(code), &Plan::default());
        assert_eq!(seen.logins.len(), 1, "{code}: {:?}", seen.logins);
        assert!(
            shows(&seen.server, "False", reason),
            "{code}: {:?}",
            seen.server.status
        );
        let status = seen.server.status.unwrap();
        let login = status.login.expect("what was refused stands in the status");
        assert!(login.refused_secret_version.is_some(), "{code}");
        let next = login.next_attempt_time.unwrap().0;
        let away = next.duration_since(scenarios::start()).as_secs();
        assert!((3600..=3610).contains(&away), "{code}: the next in {away} s");
    }
}

#[test]
fn what_the_simulator_refuses_itself_is_one_login_too() {
    let plain = || story("a refused login", &json!({}));
    let mut wrong = plain();
    wrong.secret = &[("password", "wrong")];
    let mut no_code = plain();
    no_code.nas.behaviour.two_factor = true;
    let mut wrong_code = plain();
    wrong_code.nas.behaviour.two_factor = true;
    // The simulator takes one fixed code, which no seed gives but by chance.
    wrong_code.secret = &[("otp-secret", "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK")];
    let mut blocked = plain();
    blocked.script = vec![(0, Do::Nas(Control::Block { on: true }))];
    for (mut scenario, reason) in [
        (wrong, Reason::CredentialsRejected),
        (no_code, Reason::SecondFactorRequired),
        (wrong_code, Reason::SecondFactorRequired),
        (blocked, Reason::AccountBlocked),
    ] {
        scenario.script.push((1800, Do::SeeServer(reason)));
        let seen = seen_after(HOUR - 1, &scenario, &Plan::default());
        assert_eq!(seen.logins.len(), 1, "{reason:?}: {:?}", seen.logins);
        assert!(
            shows(&seen.server, "False", reason),
            "{reason:?}: {:?}",
            seen.server.status
        );
    }
}

#[test]
fn another_version_of_the_secret_with_the_same_used_keys_asks_nothing() {
    for (code, reason) in codes() {
        let mut scenario = refusing(code);
        scenario.script = vec![
            // A label: the version moves alone.
            (600, Do::Secret(&[])),
            (1200, Do::Secret(&[("comment", "seen by the on-call")])),
            (1800, Do::Secret(&[("comment", "not our fault")])),
        ];
        let seen = seen_after(HOUR - 1, &scenario, &Plan::default());
        assert_eq!(seen.logins.len(), 1, "{code}: {:?}", seen.logins);
        assert!(shows(&seen.server, "False", reason), "{code}");
    }
}

#[test]
fn a_mended_secret_heals_within_one_active_poll() {
    const MENDED: u64 = 1003;
    for (code, _) in codes() {
        let mut scenario = refusing(code);
        scenario.script = vec![
            (MENDED, Do::Nas(Control::ClearFaults)),
            (MENDED, Do::Secret(&[("password", "simulated-password ")])),
        ];
        // What the Secret says from then on is right for the NAS.
        let password = "simulated-password ".to_owned();
        scenario
            .script
            .push((MENDED, Do::Nas(Control::Password { password })));
        let seen = seen_after(MENDED + ACTIVE, &scenario, &Plan::default());
        assert_eq!(seen.logins.len(), 2, "{code}: {:?}", seen.logins);
        assert!(
            shows(&seen.server, "True", Reason::Connected),
            "{code}: {:?}",
            seen.server.status
        );
        assert_eq!(
            seen.server.status.unwrap().login,
            None,
            "{code}: nothing is refused any more"
        );
    }
}

#[test]
fn a_wrong_password_that_is_mended_by_another_wrong_one_is_two_logins() {
    let mut scenario = story("a refused login", &json!({}));
    scenario.secret = &[("password", "wrong")];
    scenario.script = vec![(600, Do::Secret(&[("password", "wrong again")]))];
    // One per version of the Secret, and the hour begins anew with the second one.
    let seen = seen_after(600 + HOUR - 1, &scenario, &Plan::default());
    assert_eq!(seen.logins.len(), 2, "{:?}", seen.logins);
    assert!(seen.logins[1] <= 600 + ACTIVE, "{:?}", seen.logins);
}

#[test]
fn attempts_come_after_an_hour_and_then_double_up_to_a_day() {
    for (code, _) in codes() {
        let mut scenario = refusing(code);
        // How often the Secret is looked at does not matter here.
        scenario.server = server(&json!({ "polling": { "active": "2m" } }));
        let seen = seen_after(4 * 24 * HOUR, &scenario, &Plan::default());
        let gaps: Vec<u64> = seen
            .logins
            .windows(2)
            .map(|pair| (pair[1] - pair[0] + 1800) / HOUR)
            .collect();
        assert_eq!(gaps, [1, 2, 4, 8, 16, 24, 24], "{code}: {:?}", seen.logins);
    }
}

#[test]
fn no_restart_and_no_failover_asks_again_within_the_hour() {
    for (code, reason) in codes() {
        // While refused, each look at the Secret is a step: ten seconds apart.
        for fault in [
            Fault::CrashBefore,
            Fault::CrashAfter,
            Fault::AllCrash,
            Fault::Pause,
            Fault::LeaseLoss,
        ] {
            let plan = Plan {
                faults: vec![(100, fault)],
            };
            let seen = seen_after(HOUR - 1, &refusing(code), &plan);
            assert_eq!(seen.logins.len(), 1, "{code}, {plan}: {:?}", seen.logins);
            assert!(
                shows(&seen.server, "False", reason),
                "{code}, {plan}: {:?}",
                seen.server.status
            );
        }
    }
}

#[test]
fn a_refusal_that_nobody_could_record_costs_one_login_more() {
    // Whether a login was refused is known only by its answer: a life, or a reign, that ends between that and the
    // write of the status leaves nothing to go by.
    for step in 1..=12 {
        for fault in [
            Fault::CrashBefore,
            Fault::CrashAfter,
            Fault::AllCrash,
            Fault::Pause,
            Fault::LeaseLoss,
            Fault::WriteLostBefore,
        ] {
            let plan = Plan {
                faults: vec![(step, fault)],
            };
            let seen = seen_after(HOUR - 1, &refusing(400), &plan);
            assert!((1..=2).contains(&seen.logins.len()), "{plan}: {:?}", seen.logins);
        }
    }
}

#[test]
fn the_pace_survives_restarts() {
    // A restart in each of the first waits: the delay is told by the status.
    let plan = Plan {
        faults: vec![
            (100, Fault::AllCrash),
            (600, Fault::LeaseLoss),
            (1400, Fault::AllCrash),
            (3000, Fault::Pause),
        ],
    };
    let seen = seen_after(4 * 24 * HOUR, &refusing(400), &plan);
    let gaps: Vec<u64> = seen
        .logins
        .windows(2)
        .map(|pair| (pair[1] - pair[0] + 1800) / HOUR)
        .collect();
    assert_eq!(gaps, [1, 2, 4, 8, 16, 24, 24], "{:?}", seen.logins);
}

#[test]
fn a_login_that_is_refused_without_a_code_is_one_login_in_the_first_hour() {
    for shape in [ErrorShape::Null, ErrorShape::Absent] {
        let mut scenario = refusing(400);
        scenario.nas.behaviour.error_shape = shape;
        let seen = seen_after(HOUR - 1, &scenario, &Plan::default());
        assert_eq!(seen.logins.len(), 1, "{shape:?}: {:?}", seen.logins);
        assert!(
            shows(&seen.server, "False", Reason::CredentialsRejected),
            "{shape:?}: {:?}",
            seen.server.status
        );
    }
}

#[test]
fn no_code_is_spent_twice_whoever_dies_in_its_step() {
    let token = json!({ "triggers": { "request": "a" } });
    let scenario = stories::with_seed("a second factor and a death", &token);
    for fault in [
        Fault::CrashBefore,
        Fault::CrashAfter,
        Fault::AllCrash,
        Fault::Pause,
        Fault::LeaseLoss,
    ] {
        let mut most = 0;
        for step in 1..=15 {
            let plan = Plan {
                faults: vec![(step, fault)],
            };
            let (requests, server) = run::watch(&scenario, &plan, Duration::from_secs(600));
            let logins: Vec<_> = requests
                .iter()
                .filter(|request| request.api == "SYNO.API.Auth" && request.method == "login")
                .collect();
            let refused = logins.iter().find(|login| login.outcome != "ok");
            assert_eq!(refused, None, "{plan}: {logins:?}");
            // One for each life or reign, whether or not it saw the answer.
            assert!((1..=2).contains(&logins.len()), "{plan}: {logins:?}");
            most = most.max(logins.len());
            assert!(
                shows(&server, "True", Reason::Connected),
                "{plan}: {:?}",
                server.status
            );
        }
        assert_eq!(most, 2, "{fault:?} never came after a login");
    }
}

#[test]
fn a_seed_that_is_changed_heals_within_one_active_poll() {
    // A moment in each part of a step of thirty seconds: another seed has spent nothing.
    for mended in (600..630).step_by(7) {
        let scenario = stories::reseeded(mended);
        let seen = seen_after(mended + ACTIVE, &scenario, &Plan::default());
        let after: Vec<_> = seen.logins.iter().filter(|at| **at >= mended).collect();
        assert_eq!(after.len(), 1, "{mended}: {:?}", seen.logins);
        assert!(
            shows(&seen.server, "True", Reason::Connected),
            "{mended}: {:?}",
            seen.server.status
        );
    }
}
