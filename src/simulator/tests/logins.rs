//! Logins that are refused, sessions that are gone, tokens that are missing, and the settings that can be changed.

use serde_json::json;

use super::super::{ApiCall, Control};
use super::{Bench, TASK, code, login};

fn with(switch: &str) -> Bench {
    Bench::yaml(&format!("behaviour: {{{switch}}}"))
}

fn pull(bench: &mut Bench, control: Control) {
    bench.nas.control(control, bench.now).unwrap();
}

#[test]
fn every_login_may_be_refused_with_a_code() {
    for refused in [400, 401, 402, 405, 406, 408, 409, 410, 411] {
        let mut bench = with(&format!("loginAnswer: {refused}"));
        assert_eq!(code(&bench.send(&login())), refused);
        assert!(bench.nas.ledger().is_empty());
        pull(&mut bench, Control::Behaviour(json!({"loginAnswer": null})));
        assert_eq!(code(&bench.send(&login())), 0);
    }
    let mut bench = Bench::yaml("accountLocked: true");
    assert_eq!(code(&bench.send(&login())), 411);
    pull(&mut bench, Control::Settings(json!({"accountLocked": false})));
    assert_eq!(code(&bench.send(&login())), 0);
    let mut bench = Bench::yaml("blocked: true");
    assert_eq!(code(&bench.send(&login())), 407);
    pull(&mut bench, Control::Block { on: false });
    assert_eq!(code(&bench.send(&login())), 0);
}

#[test]
fn failed_logins_lock_the_door() {
    let mut bench = with("lockoutAfter: 2");
    let wrong = login().with("passwd", "wrong");
    assert_eq!(code(&bench.send(&wrong)), 400);
    assert_eq!(code(&bench.send(&login())), 0, "one is not too many");
    assert_eq!(code(&bench.send(&wrong)), 400);
    assert_eq!(code(&bench.send(&login())), 407);
    assert_eq!(bench.code("cancel", 1), 0, "an open session goes on");
    pull(&mut bench, Control::Block { on: false });
    assert_eq!(code(&bench.send(&wrong)), 400);
    assert_eq!(code(&bench.send(&login())), 0, "the count began anew");
}

#[test]
fn a_session_that_is_gone_answers_what_the_switch_says() {
    for (answer, expected) in [
        ("Error105", 105),
        ("Error106", 106),
        ("Error107", 107),
        ("Error119", 119),
    ] {
        let mut bench = with(&format!("deadSession: {answer}"));
        pull(&mut bench, Control::Reboot);
        assert_eq!(bench.code("cancel", 1), expected);
        bench.log_in();
        assert_eq!(bench.code("cancel", 1), 0);
        assert_eq!(
            code(&bench.send(&ApiCall::new(TASK, "list"))),
            119,
            "no session at all"
        );
    }
}

#[test]
fn a_missing_token_may_look_like_a_missing_method() {
    for (answer, expected) in [("Error103", 103), ("Error119", 119)] {
        let mut bench = with(&format!("missingToken: {answer}"));
        let sid = bench.sid.clone();
        let list = |token| ApiCall::new(TASK, "list").in_session(&sid, token);
        assert_eq!(code(&bench.send(&list(None))), expected);
        assert_eq!(code(&bench.send(&list(Some("wrong")))), 119);
    }
}

#[test]
fn settings_change_while_the_nas_runs() {
    let mut bench = Bench::yaml("{maxConcurrentDevices: 1, generateTasks: 1}");
    bench.act("backup", 1);
    bench.act("backup", 2);
    assert_eq!(bench.effects("run-started").len(), 1);
    let settings = json!({
        "maxConcurrentDevices": 2,
        "username": "other",
        "dsmVersion": "DSM 7.4.1-90080",
        "packageVersion": "3.2.1-1",
        "model": "DS1",
        "sessionSeconds": 60,
        "synoTokenEnforced": false,
        "totpSecret": null,
    });
    pull(&mut bench, Control::Settings(settings));
    assert_eq!(bench.effects("run-started").len(), 2, "there is room now");
    assert_eq!(code(&bench.send(&login())), 400);
    let opened = bench.send(&login().with("account", "other"));
    bench.sid = opened["data"]["sid"].as_str().unwrap().to_owned();
    bench.token = "wrong".to_owned();
    let info = bench.ask(ApiCall::new("SYNO.DSM.Info", "getinfo").at_version(2))["data"].clone();
    assert_eq!(
        (&info["model"], &info["version"]),
        (&json!("DS1"), &json!("90080"))
    );
    bench.wait(60);
    assert_eq!(bench.code("cancel", 1), 119);
    for wrong in [json!({"tasks": []}), json!({"maxConcurrentDevices": "two"})] {
        assert!(bench.nas.control(Control::Settings(wrong), bench.now).is_err());
    }
}

#[test]
fn an_encrypted_login_opens_a_session() {
    // As a published client sent it for the fixed key.
    let sealed = include_str!("../../../tests/fixtures/encrypted-login.json");
    let mut bench = with("");
    let call = ApiCall::new("SYNO.API.Auth", "login").at_version(6);
    let opened = bench.send(&call.with("__cIpHeRtExT", sealed).with("enable_syno_token", "yes"));
    assert_eq!(opened["data"]["account"], "abb-operator");
    assert!(opened["data"]["synotoken"].is_string());
    assert_eq!(bench.effects("login").len(), 2);
}

#[test]
fn an_encrypted_login_that_cannot_be_read_is_refused() {
    let mut bench = with("");
    let sealed = ApiCall::new("SYNO.API.Auth", "login").at_version(6);
    for text in ["x", "{}", r#"{"rsa": "AAAA", "aes": "AAAA"}"#] {
        assert_eq!(
            code(&bench.send(&sealed.clone().with("__cIpHeRtExT", text))),
            101,
            "{text}"
        );
    }
}
