//! Faults between the cluster and a backup: Secret, address, certificate, account, package, clock, and what the spec holds
//! back. All set-ups stand side by side in one namespace under one operator, each with a NAS of its own.

use std::fmt::Write as _;

use abb_operator::simulator::{
    self, Behaviour, Control, Fault, FaultKind, Options, PackageState, Scenario, Simulator,
};
use futures::future::join_all;

use super::{Line, doctor, front};
use crate::{
    harness::{Terminal, cluster, eventually},
    lab::{Lab, condition, server},
};

/// One set-up: a NAS, and the objects that declare it.
struct SetUp {
    sentence: &'static str,
    /// What the operator makes of it.
    reason: &'static str,
    scenario: Scenario,
    plaintext: bool,
    change: fn(&mut Objects),
    lines: &'static [Line],
}

/// The objects of a set-up, before they are applied.
struct Objects {
    name: String,
    url: String,
    tls: String,
    /// Fields below `stringData`; no Secret where empty.
    secret: String,
    /// Fields below `spec`.
    spec: String,
    /// Objects beside them.
    more: String,
}

impl Objects {
    fn manifests(&self) -> String {
        let Self {
            name,
            url,
            tls,
            secret,
            spec,
            more,
        } = self;
        let mut text = format!(
            "apiVersion: activebackup.dev/v1alpha1\nkind: BackupServer\nmetadata: {{name: {name}}}\nspec:\n  url: {url}\n  \
             credentials: {{secretRef: {{name: {name}}}}}\n  tls: {tls}\n  polling: {{idle: 1s, active: 1s}}\n  \
             timeouts: {{request: 2s, settle: 3s}}\n{spec}\n"
        );
        if !secret.is_empty() {
            let _ = write!(
                text,
                "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {{{secret}}}\n"
            );
        }
        text.push_str(more);
        text
    }
}

fn set_up() -> SetUp {
    SetUp {
        sentence: "",
        reason: "Connected",
        scenario: Scenario::seed(),
        plaintext: false,
        change: |_| {},
        lines: &[],
    }
}

fn behaving(behaviour: Behaviour) -> Scenario {
    Scenario {
        behaviour,
        ..Scenario::seed()
    }
}

fn set_ups() -> Vec<SetUp> {
    vec![
        SetUp {
            sentence: "nothing is wrong",
            ..set_up()
        },
        SetUp {
            sentence: "the Secret does not exist",
            reason: "SecretNotFound",
            change: |objects| objects.secret.clear(),
            lines: &[
                ("fail", "status", &["SecretNotFound", "does not exist"]),
                (
                    "fail",
                    "secret",
                    &[
                        "there is no Secret",
                        "kubectl -n doctor-",
                        "create secret generic",
                    ],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "the Secret has no password",
            reason: "SecretNotFound",
            change: |objects| "username: abb-operator, pass: x".clone_into(&mut objects.secret),
            lines: &[
                ("fail", "status", &["SecretNotFound"]),
                (
                    "fail",
                    "secret",
                    &["has no key \"password\"", "--from-file=password=FILE"],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "the seed of the second factor is no base32",
            reason: "SecondFactorRequired",
            change: |objects| objects.secret.push_str(", otp-secret: 'not 0189'"),
            lines: &[
                ("fail", "status", &["SecondFactorRequired"]),
                (
                    "fail",
                    "secret",
                    &["no seed in base32", "copy the one that DSM showed"],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "half of a remembered device, and blanks around the name of the account",
            change: |objects| objects.secret.push_str(", device-id: abc"),
            lines: &[("warn", "secret", &["\"device-id\" without \"device-name\""])],
            ..set_up()
        },
        SetUp {
            sentence: "the password is wrong",
            reason: "CredentialsRejected",
            change: |objects| {
                "username: abb-operator, password: other-canary".clone_into(&mut objects.secret);
            },
            lines: &[
                (
                    "fail",
                    "status",
                    &[
                        "CredentialsRejected",
                        "error 400",
                        "correct username and password",
                    ],
                ),
                ("fail", "login", &["not tried: the NAS refused it", "edit secret"]),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "DSM blocks this address",
            reason: "AccountBlocked",
            scenario: Scenario {
                blocked: true,
                ..Scenario::seed()
            },
            lines: &[
                ("fail", "status", &["AccountBlocked", "block list"]),
                ("fail", "login", &["not tried: the NAS refused it", "edit secret"]),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "the account needs a second factor",
            reason: "SecondFactorRequired",
            scenario: behaving(Behaviour {
                two_factor: true,
                ..Behaviour::default()
            }),
            lines: &[
                (
                    "fail",
                    "status",
                    &[
                        "SecondFactorRequired",
                        "add the seed of the second factor as otp-secret",
                    ],
                ),
                ("fail", "login", &["not tried: the NAS refused it", "edit secret"]),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "the account is disabled",
            reason: "CredentialsRejected",
            scenario: behaving(Behaviour {
                login_answer: Some(401),
                ..Behaviour::default()
            }),
            lines: &[
                ("fail", "status", &["error 401", "enable the account in DSM"]),
                ("fail", "login", &["not tried: the NAS refused it", "edit secret"]),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "another certificate is pinned",
            reason: "CertificateRejected",
            change: |objects| objects.tls = format!("{{fingerprint: \"{}\"}}", "00".repeat(32)),
            lines: &[
                ("fail", "status", &["CertificateRejected"]),
                (
                    "fail",
                    "certificate",
                    &[
                        "the SHA-256 of what is shown is",
                        "spec.tls.fingerprint is 0000",
                        "openssl x509 -noout -fingerprint -sha256",
                        "patch backupserver",
                    ],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "the name of the host does not exist",
            reason: "Unreachable",
            change: |objects| "https://nas.invalid:5001".clone_into(&mut objects.url),
            lines: &[
                ("fail", "status", &["Unreachable"]),
                (
                    "fail",
                    "name",
                    &["\"nas.invalid\" stands for no address", "nslookup nas.invalid"],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "nothing listens on the port",
            reason: "Unreachable",
            change: |objects| objects.url = format!("https://{}", closed_port()),
            lines: &[
                ("fail", "status", &["Unreachable"]),
                (
                    "fail",
                    "connection",
                    &["no connection to 127.0.0.1 port", "refused", "nc -vz 127.0.0.1"],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "a proxy's page answers in place of DSM",
            reason: "UnexpectedResponse",
            scenario: Scenario {
                faults: vec![Fault::new(FaultKind::Html).times(0)],
                ..Scenario::seed()
            },
            lines: &[
                ("fail", "status", &["UnexpectedResponse"]),
                (
                    "fail",
                    "dsm",
                    &["a page of HTML", "check that the URL leads to DSM itself"],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "an http URL leads to the port of https",
            reason: "Unreachable",
            change: |objects| {
                objects.url = objects.url.replace("https://", "http://");
                "{allowPlaintext: true}".clone_into(&mut objects.tls);
            },
            lines: &[
                ("fail", "status", &["Unreachable"]),
                ("warn", "trust", &["spec.url is http://", "use https"]),
                (
                    "fail",
                    "certificate",
                    &["what listens there speaks TLS", "{\"url\":\"https://127.0.0.1:"],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "an https URL leads to the port of http",
            reason: "Unreachable",
            plaintext: true,
            change: |objects| {
                objects.url = objects.url.replace("http://", "https://");
                "{}".clone_into(&mut objects.tls);
            },
            lines: &[
                ("fail", "status", &["Unreachable"]),
                ("fail", "certificate", &["does not speak TLS", "usually 5001"]),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "the package is stopped",
            reason: "PackageNotRunning",
            scenario: Scenario {
                package: PackageState::Stopped,
                ..Scenario::seed()
            },
            lines: &[
                ("fail", "status", &["PackageNotRunning"]),
                (
                    "fail",
                    "package",
                    &["not installed, or stopped", "Package Center"],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "the package is being upgraded",
            reason: "PackageNotRunning",
            scenario: Scenario {
                package: PackageState::Upgrading,
                ..Scenario::seed()
            },
            lines: &[
                ("fail", "status", &["PackageNotRunning"]),
                ("fail", "package", &["error 1007", "wait until the upgrade"]),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "the account may not use Active Backup",
            reason: "PermissionDenied",
            scenario: behaving(Behaviour {
                permission: false,
                ..Behaviour::default()
            }),
            lines: &[
                ("fail", "status", &["PermissionDenied"]),
                (
                    "fail",
                    "permission",
                    &["error 105", "delegate Active Backup to it"],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "the clock of the NAS is an hour ahead",
            scenario: Scenario {
                clock_offset_seconds: 3600,
                ..Scenario::seed()
            },
            lines: &[("warn", "clock", &["60m ahead of this machine", "NTP"])],
            ..set_up()
        },
        SetUp {
            sentence: "the server is in Observe and allows removals",
            change: |objects| "  mode: Observe\n  removals: {allowed: true}".clone_into(&mut objects.spec),
            lines: &[
                (
                    "warn",
                    "mode",
                    &["Observe: nothing is sent", "{\"mode\":\"Enforce\"}"],
                ),
                (
                    "warn",
                    "removals",
                    &["may destroy its task with every version", "{\"allowed\":false}"],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "no certificate is verified",
            change: |objects| "{insecureSkipVerify: true}".clone_into(&mut objects.tls),
            lines: &[(
                "warn",
                "trust",
                &["insecureSkipVerify", "pin the certificate instead"],
            )],
            ..set_up()
        },
        SetUp {
            sentence: "the ConfigMap with the authority does not exist",
            reason: "CertificateRejected",
            change: |objects| {
                "{caRef: {kind: ConfigMap, name: nobody, key: ca.crt}}".clone_into(&mut objects.tls);
            },
            lines: &[
                ("fail", "status", &["CertificateRejected"]),
                (
                    "fail",
                    "trust",
                    &["\"nobody\"", "create configmap nobody --from-file=ca.crt=FILE"],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "no authority that this machine knows has signed the certificate",
            reason: "CertificateRejected",
            change: |objects| "{}".clone_into(&mut objects.tls),
            lines: &[
                ("fail", "status", &["CertificateRejected"]),
                (
                    "fail",
                    "certificate",
                    &[
                        "not taken for 127.0.0.1 by the authorities of this machine",
                        "UnknownIssuer",
                        "tls.caRef",
                    ],
                ),
            ],
            ..set_up()
        },
        SetUp {
            sentence: "a BackupTask names a task that the NAS does not have",
            change: |objects| {
                objects.more = format!(
                    "---\napiVersion: activebackup.dev/v1alpha1\nkind: BackupTask\nmetadata: {{name: stray}}\nspec:\n  \
                     serverRef: {{name: {}}}\n  task: {{name: nobody}}\n",
                    objects.name
                );
            },
            lines: &[(
                "fail",
                "backuptask stray",
                &["TaskNotFound", "describe backuptask stray"],
            )],
            ..set_up()
        },
    ]
}

fn closed_port() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

#[tokio::test]
async fn doctor_names_each_fault_on_the_way_to_a_nas_and_no_other() {
    let namespace = cluster().await.namespace("doctor").await;
    let mut stands: Vec<(SetUp, String, Simulator)> = Vec::new();
    let mut manifests = String::new();
    for (number, set_up) in set_ups().into_iter().enumerate() {
        abb_operator::install_crypto();
        let nas = simulator::start(Options {
            scenario: set_up.scenario.clone(),
            plaintext: set_up.plaintext,
            ..Options::default()
        })
        .await
        .unwrap();
        let mut objects = Objects {
            name: format!("nas-{number}"),
            url: nas.url().to_owned(),
            tls: format!("{{fingerprint: \"{}\"}}", nas.fingerprint().unwrap_or_default()),
            secret: format!("username: {}, password: {}", nas.username(), nas.password()),
            spec: String::new(),
            more: String::new(),
        };
        (set_up.change)(&mut objects);
        let _ = write!(manifests, "---\n{}", objects.manifests());
        stands.push((set_up, objects.name, nas));
    }
    assert!(stands.len() > 20);
    namespace.apply(&manifests).await.ok();
    let mut operator = namespace.operator(&[]);
    operator.wait_ready().await;
    for (set_up, name, _) in &stands {
        eventually(set_up.sentence, async || {
            let status = namespace.get("bsrv", name).await["status"].take();
            if condition(&status, "Ready")["reason"] == set_up.reason {
                Ok(())
            } else {
                Err(format!("{status:#}\n{}", operator.log()))
            }
        })
        .await;
    }
    eventually("the stray task is judged", async || {
        let status = namespace.get("bt", "stray").await["status"].take();
        (condition(&status, "Stalled")["status"] == "True").then_some(())
    })
    .await;
    let logins = |nas: &Simulator| nas.requests().iter().filter(|it| it.method == "login").count();
    let before: Vec<usize> = stands.iter().map(|(_, _, nas)| logins(nas)).collect();
    let path = namespace.kubeconfig_path();
    let said = join_all(
        stands
            .iter()
            .map(async |(_, name, _)| doctor(path, &[name]).await),
    )
    .await;
    for (((set_up, _, nas), said), before) in stands.iter().zip(&said).zip(before) {
        said.has(set_up.sentence, set_up.lines);
        for secret in [nas.password(), "canary"] {
            assert!(!said.text.contains(secret), "{}:\n{}", set_up.sentence, said.text);
        }
        let is_refused = set_up
            .lines
            .iter()
            .any(|(word, what, _)| (*word, *what) == ("fail", "login"));
        if is_refused {
            assert_eq!(logins(nas), before, "{}: tried all the same", set_up.sentence);
        }
        let of_kind = |kind| nas.ledger().iter().filter(|effect| effect.kind == kind).count();
        // A missing right is asked for once more in a session of its own, and the one before counts as over.
        let is_renewed = usize::from(set_up.reason == "PermissionDenied") * 2;
        assert!(
            of_kind("login") <= of_kind("logout") + 1 + is_renewed,
            "{}: a session is left",
            set_up.sentence
        );
    }
    let healthy = &said[0];
    healthy.tells("ok", "login", "the account is let in");
    healthy.tells(
        "ok",
        "machine",
        "DS918+, DSM 7.2.1-69057 Update 5, serial SIM0000000001",
    );
    healthy.tells("ok", "certificate", "the pinned one, SHA-256");
    healthy.tells("ok", "operator's rights", "has what it needs here");
    healthy.tells("ok", "capabilities", "History, Log, Queue, Packages");
    assert!(healthy.text.ends_with("nothing is wrong\n"), "{}", healthy.text);
}

#[tokio::test]
async fn what_changes_behind_the_operators_back_is_found_as_well() {
    let lab = Lab::new("doctor-lab").await;
    lab.server_reason("Connected").await;
    let look = async || doctor(lab.namespace.kubeconfig_path(), &[]).await;
    look().await.has("nothing is wrong", &[]);

    // The operator's session goes on, so that only a new login sees it.
    let serial = "SIM0000000002".to_owned();
    lab.nas.control(Control::Serial { serial }).unwrap();
    look().await.has(
        "another NAS answers under the address",
        &[(
            "fail",
            "machine",
            &["SIM0000000002", "SIM0000000001", "correct spec.url"],
        )],
    );
    let serial = "SIM0000000001".to_owned();
    lab.nas.control(Control::Serial { serial }).unwrap();
    let password = "changed".to_owned();
    lab.nas.control(Control::Password { password }).unwrap();
    look().await.has(
        "the password was changed on the NAS a moment ago",
        &[("fail", "login", &["error 400", "correct username and password"])],
    );
    let password = lab.nas.password().to_owned();
    lab.nas.control(Control::Password { password }).unwrap();

    lab.task("suspend: true").await;
    lab.until("it is bound", |status| {
        condition(status, "Bound")["status"] == "True"
    })
    .await;
    let said = look().await;
    said.has("a task is suspended", &[]);
    said.tells(
        "note",
        "suspended",
        "laptop starts nothing until kubectl abb resume",
    );

    let kubeconfig = lab.namespace.kubeconfig_path().display().to_string();
    let with = ("KUBECONFIG", kubeconfig.as_str());
    for (environment, start) in [
        (&[with][..], "\x1b[32mok\x1b[0m    cluster: "),
        (&[with, ("NO_COLOR", "1")], "ok    cluster: "),
    ] {
        let mut terminal = Terminal::start(
            env!("CARGO_BIN_EXE_kubectl-abb"),
            &["doctor", "nas"],
            environment,
            (140, 40),
        );
        let (code, screen) = terminal.ended().await;
        assert_eq!(code, 0, "{screen}");
        assert!(terminal.written().contains(start), "{}", terminal.written());
    }
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_a_warning_and_one_that_has_ended_a_fault_where_it_is_verified() {
    let namespace = cluster().await.namespace("doctor-dates").await;
    let (soon, over) = (front::ending_in(10).await, front::ending_in(-10).await);
    let authority = format!("{:?}", over.pem);
    namespace
        .apply(&format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: ca}}\ndata: {{ca.crt: {authority}}}\n"
        ))
        .await
        .ok();
    for (name, front, tls) in [
        (
            "soon",
            &soon,
            format!("{{fingerprint: \"{}\"}}", soon.fingerprint),
        ),
        (
            "pinned",
            &over,
            format!("{{fingerprint: \"{}\"}}", over.fingerprint),
        ),
        (
            "over",
            &over,
            "{caRef: {kind: ConfigMap, name: ca, key: ca.crt}}".to_owned(),
        ),
    ] {
        let objects = Objects {
            name: name.to_owned(),
            url: front.url.clone(),
            tls,
            secret: format!(
                "username: {}, password: {}",
                front.nas.username(),
                front.nas.password()
            ),
            spec: String::new(),
            more: String::new(),
        };
        namespace.apply(&objects.manifests()).await.ok();
    }
    let mut operator = namespace.operator(&[]);
    operator.wait_ready().await;
    for (name, reason, lines) in [
        (
            "soon",
            "Connected",
            &[(
                "warn",
                "certificate",
                &["ends in 9d", "changes its fingerprint"][..],
            )][..],
        ),
        (
            "pinned",
            "Connected",
            &[("warn", "certificate", &["ended 10d", " ago"])],
        ),
        (
            "over",
            "CertificateRejected",
            &[
                ("fail", "status", &["CertificateRejected"]),
                (
                    "fail",
                    "certificate",
                    &["has expired", "Control Panel, Security, Certificate"],
                ),
            ],
        ),
    ] {
        eventually(name, async || {
            let status = namespace.get("bsrv", name).await["status"].take();
            (condition(&status, "Ready")["reason"] == reason)
                .then_some(())
                .ok_or_else(|| format!("{status:#}\n{}", operator.log()))
        })
        .await;
        doctor(namespace.kubeconfig_path(), &[name])
            .await
            .has(name, lines);
    }
}

#[tokio::test]
async fn a_way_that_only_this_machine_lacks_stops_no_run() {
    let lab = Lab::new("doctor-way").await;
    lab.server_reason("Connected").await;
    let rarely = server(&lab.nas, "").replace("{idle: 1s, active: 1s}", "{idle: 1h, active: 1h}");
    lab.namespace.apply(&rarely).await.ok();
    eventually("the operator has looked at the edit", async || {
        let server = lab.namespace.get("bsrv", "nas").await;
        (server["status"]["observedGeneration"] == server["metadata"]["generation"]).then_some(())
    })
    .await;
    let Lab {
        nas,
        namespace,
        operator: _running,
    } = lab;
    nas.shutdown().await;
    doctor(namespace.kubeconfig_path(), &["nas"]).await.has(
        "the operator got through, and this machine does not",
        &[(
            "warn",
            "connection",
            &["from this machine", "check that the NAS is on"],
        )],
    );
}
