//! What the floor says to a NAS: one login, the list with the operator's parameters, the call; over connections that are
//! kept, and without a look at what else an answer holds.

use std::collections::HashMap;

use serde::Deserialize;

use crate::nas::Nas;

/// What it reads of a row.
#[derive(Debug, Deserialize)]
pub struct Row {
    pub task_id: i64,
    task_name: String,
    pub status: Option<String>,
    pub last_result: Option<LastResult>,
}

#[derive(Debug, Deserialize)]
pub struct LastResult {
    pub result_id: i64,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Rows {
    tasks: Vec<Row>,
}

#[derive(Deserialize)]
struct Login {
    sid: String,
    synotoken: String,
}

/// The one session with a NAS, over connections that are kept.
pub struct Session {
    nas: Nas,
    client: reqwest::Client,
    login: Option<Login>,
}

impl Session {
    pub fn new(nas: Nas) -> Self {
        let client = reqwest::Client::builder().no_proxy().gzip(true).build().unwrap();
        Self {
            nas,
            client,
            login: None,
        }
    }

    fn call(&self, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let mut request = self.client.post(format!("{}/webapi/entry.cgi", self.nas.url));
        if let Some(login) = &self.login {
            form.append_pair("_sid", &login.sid);
            request = request.header("X-SYNO-TOKEN", &login.synotoken);
        }
        request
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form.finish())
    }

    pub async fn list(&mut self) -> Result<HashMap<String, Row>, String> {
        if self.login.is_none() {
            let fields = [
                ("api", "SYNO.API.Auth"),
                ("version", "6"),
                ("method", "login"),
                ("account", &self.nas.username),
                ("passwd", &self.nas.password),
                ("format", "sid"),
                ("enable_syno_token", "yes"),
            ];
            let answer: Answer<Login> = read(self.call(&fields)).await?;
            self.login = Some(answer.data);
        }
        let fields = [
            ("api", "SYNO.ActiveBackup.Task"),
            ("version", "1"),
            ("method", "list"),
            ("load_result", "true"),
            ("load_devices", "true"),
        ];
        let answer: Answer<Rows> = read(self.call(&fields)).await?;
        let rows = answer.data.tasks.into_iter();
        Ok(rows.map(|row| (row.task_name.clone(), row)).collect())
    }

    pub fn backup(&self, task_id: i64) -> reqwest::RequestBuilder {
        let ids = format!("[{task_id}]");
        self.call(&[
            ("api", "SYNO.ActiveBackup.Task"),
            ("version", "1"),
            ("method", "backup"),
            ("task_ids", &ids),
            ("trigger_type", "1"),
        ])
    }
}

async fn read<T: for<'any> Deserialize<'any>>(request: reqwest::RequestBuilder) -> Result<T, String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let body = answer.bytes().await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body).map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&body)))
}
