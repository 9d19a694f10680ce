//! A simulated NAS on a socket, a client of it, and what went over the wire in between.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use abb_operator::nas::{Answer, Client, Credentials, Endpoint, Invocation, Trust};
use abb_operator::simulator::{self, Control, Effect, Options, Origin, Scenario, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECOND: Duration = Duration::from_secs(1);

/// A NAS with three tasks: the recorded one, `second` with two versions of which 12 is locked, and `third`, a file server
/// with a finished run of status 4 and another that goes on.
const SCENARIO: &str = "
tasks:
- seed: true
- {id: 2, name: second, devices: [{id: 7, hostName: seven}], versions: [{id: 11, timeStart: 1700000000, usedSize: 5}, {id: 12, timeStart: 1700000100, locked: true}]}
- {id: 3, name: third, backupType: 4, lastResult: {status: 4, timeStart: 1700000200, timeEnd: 1700000300}, runSeconds: 1000}
";

/// What a call left to look at.
pub struct Seen {
    /// The data of its answer.
    pub data: Value,
    /// What it did, in the words of the NAS's ledger.
    pub effects: Vec<Effect>,
    /// The tasks afterwards, as `list` gives them with everything loaded.
    pub tasks: Vec<Value>,
    /// The vm checks afterwards.
    pub checks: Value,
}

impl Seen {
    /// The row of a task, or null.
    pub fn task(&self, name: &str) -> &Value {
        let named = |row: &&Value| row["task_name"] == name;
        self.tasks.iter().find(named).unwrap_or(&Value::Null)
    }

    /// Whether exactly these effects took place.
    pub fn did(&self, kinds: &[&str]) -> bool {
        self.effects
            .iter()
            .map(|effect| effect.kind.as_str())
            .eq(kinds.iter().copied())
    }

    /// The rows of a list in the answer.
    pub fn rows(&self, name: &str) -> Vec<&Value> {
        self.data[name]
            .as_array()
            .map(|rows| rows.iter().collect())
            .unwrap_or_default()
    }
}

/// The NAS, and a client that reaches it through a listener that keeps what the client says.
pub struct Lab {
    nas: Simulator,
    pub client: Client,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Lab {
    pub async fn new() -> Self {
        abb_operator::install_crypto();
        let nas = simulator::start(Options {
            plaintext: true,
            scenario: Scenario::from_text(SCENARIO, "test").unwrap(),
            ..Options::default()
        })
        .await
        .unwrap();
        nas.control(Control::StartTask {
            id: 3,
            origin: Origin::Person,
        })
        .unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let url = listen(
            nas.url().trim_start_matches("http://").to_owned(),
            Arc::clone(&heard),
        )
        .await;
        let client = client(&url, nas.username(), nas.password());
        Self { nas, client, heard }
    }

    /// Makes a call, and looks.
    pub async fn make(&self, call: &Invocation) -> Seen {
        let before = self.effects().len();
        let data = if call.only_reads() {
            self.client.ask(call).await.unwrap().value
        } else {
            let (answer, data) = self.client.send(call, 5 * SECOND).await.unwrap();
            assert_eq!(answer, Answer::Applied, "{}", call.call());
            data
        };
        let effects = self.effects().split_off(before);
        let everything =
            json!({"load_result": true, "load_versions": true, "load_devices": true, "load_status": true});
        let everything: abb_operator::nas::Extra = serde_json::from_value(everything).unwrap();
        let list = Invocation::new("SYNO.ActiveBackup.Task", "list", None, &everything).unwrap();
        let checks = Invocation::list_vm_check(&abb_operator::nas::VmCheck::default());
        let form = self.last_form(call);
        assert_eq!(
            form,
            call.form(),
            "what is sent is what a dry run shows, and the session"
        );
        let tasks = self.client.ask(&list).await.unwrap().value.unwrap();
        let checks = self.client.ask(&checks).await.unwrap().value.unwrap();
        Seen {
            data: data.unwrap_or_default(),
            effects,
            tasks: tasks["tasks"].as_array().cloned().unwrap(),
            checks,
        }
    }

    /// What took effect but for logins and for what the NAS itself makes of it.
    fn effects(&self) -> Vec<Effect> {
        let mut effects = self.nas.ledger();
        effects.retain(|effect| !["login", "logout", "run-started"].contains(&effect.kind.as_str()));
        effects
    }

    /// The last form that was posted for this call, without its session.
    fn last_form(&self, call: &Invocation) -> String {
        let start = format!(
            "api={}&version={}&method={}",
            call.call().api,
            call.version(),
            call.call().method
        );
        let heard = self.heard.lock().unwrap();
        let posts: Vec<String> = heard.iter().flat_map(|said| forms(said)).collect();
        let of_call = |form: &&String| {
            form.strip_prefix(&start)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('&'))
        };
        let form = posts.iter().rfind(of_call).cloned().unwrap_or_default();
        match form.split_once("&_sid=") {
            Some((form, sid)) => {
                assert!(
                    sid.len() > 20 && !sid.contains('&'),
                    "the session is the last field"
                );
                form.to_owned()
            }
            None => form,
        }
    }
}

pub fn client(url: &str, username: &str, password: &str) -> Client {
    let endpoint = Endpoint {
        url: url.parse().unwrap(),
        trust: Trust::Plaintext,
        request_timeout: 10 * SECOND,
        list_timeout: 10 * SECOND,
    };
    let credentials = Credentials {
        username: username.to_owned(),
        password: password.into(),
        otp_secret: None,
        device: None,
    };
    Client::new(endpoint, credentials).unwrap()
}

/// Forwards connections to `to`, keeping what the callers say, one text per connection.
async fn listen(to: String, heard: Arc<Mutex<Vec<Vec<u8>>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(&to).await.unwrap();
            let index = {
                let mut heard = heard.lock().unwrap();
                heard.push(Vec::new());
                heard.len() - 1
            };
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let ((mut said, mut answers), (mut answered, mut asks)) =
                    (near.into_split(), far.into_split());
                let back = async { tokio::io::copy(&mut answered, &mut answers).await };
                let forth = async {
                    let mut buffer = vec![0; 4096];
                    while let Ok(count @ 1..) = said.read(&mut buffer).await {
                        heard.lock().unwrap()[index].extend_from_slice(&buffer[..count]);
                        if asks.write_all(&buffer[..count]).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::select! { _ = back => {} () = forth => {} }
            });
        }
    });
    format!("http://{address}")
}

/// The bodies of the requests in what was said on one connection.
fn forms(said: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    let mut text = std::str::from_utf8(said).unwrap();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        assert!(head.starts_with("POST /webapi/"), "never in the URL: {head}");
        assert!(
            !head.split("\r\n").next().unwrap().contains('?'),
            "no query: {head}"
        );
        let length = head.to_ascii_lowercase();
        let length = length.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().trim().parse().unwrap();
        forms.push(rest[..length].to_owned());
        text = &rest[length..];
    }
    forms
}
