//! What a person or a probe asks of a NAS: every method, typed as far as anybody has published it.
//!
//! Reading methods go the way of the polled ones. The others are prepared and sent once, like the mutations of the
//! operator; what they answer besides the verdict is kept.

use std::time::Duration;

use url::Url;

use super::{Client, ENTRY, Error, Read, armed, wire};
use crate::nas::answer::Answer;
use crate::nas::armed::Armed;
use crate::nas::call::Invocation;
use crate::nas::intake::Whole;
use crate::nas::model::Task;
use crate::nas::records::{DetailRow, DeviceRecord, OpenList, Package, Part, Setting, Transfer};
use crate::nas::request::siblings::{self, ListDevices, ListResultDetail, ListTransfers};
use crate::nas::request::{ListTasks, Request};
use crate::nas::visible::Value;

impl Client {
    /// Calls a method that only reads; its data as a tree without secrets, `None` where it answers without data.
    ///
    /// # Errors
    /// [`Error::Configuration`] for a method that is not known to only read: see [`Client::send`].
    pub async fn ask(&self, call: &Invocation) -> Result<Read<Option<Value>>, Error> {
        if !call.only_reads() {
            let what = format!("{} is not known to only read", call.call());
            return Err(Error::Configuration { what });
        }
        let after = self.time_for(&call.request);
        if call.call().api == "SYNO.API.Info" {
            return self
                .ask_openly("query.cgi", &call.request, after, wire::visible)
                .await;
        }
        self.read(&call.request, after, wire::visible).await
    }

    /// Sends any call once, on a connection of its own: what came of it, and the data where the NAS took it.
    ///
    /// # Errors
    /// Those of the login and of the connection; nothing was sent then.
    pub async fn send(
        &self,
        call: &Invocation,
        deadline: Duration,
    ) -> Result<(Answer, Option<Value>), Error> {
        let armed = self.prepare(call).await?;
        Ok(armed.send_for_data(deadline).await)
    }

    /// As [`Client::arm`], for any call.
    pub async fn prepare(&self, call: &Invocation) -> Result<Armed, Error> {
        let (session, _) = self.session(call.call()).await?;
        armed::open(self.clone(), session, call.request.clone()).await
    }

    /// Tasks with every field of their rows. For one or a few tasks: the rows are held as trees.
    pub async fn list_tasks_openly(&self, query: &ListTasks) -> Result<Read<OpenList<Task>>, Error> {
        let after = self.shared.list_timeout;
        self.read(&query.request(), after, wire::open_task_list).await
    }

    /// The machines that Active Backup knows.
    pub async fn list_devices(&self, query: &ListDevices) -> Result<Read<OpenList<DeviceRecord>>, Error> {
        let after = self.shared.request_timeout;
        self.read(&query.request(), after, wire::device_list).await
    }

    /// The settings of the package.
    pub async fn list_settings(&self) -> Result<Read<OpenList<Setting>>, Error> {
        let after = self.shared.request_timeout;
        self.read(&siblings::list_settings(), after, wire::setting_list)
            .await
    }

    /// The lines of one result.
    pub async fn list_result_detail(
        &self,
        query: &ListResultDetail,
    ) -> Result<Read<OpenList<DetailRow>>, Error> {
        let after = self.shared.request_timeout;
        self.read(&query.request(), after, wire::detail_list).await
    }

    /// The runs of each device in a span of time.
    pub async fn list_transfers(&self, query: &ListTransfers) -> Result<Read<OpenList<Transfer>>, Error> {
        let after = self.shared.request_timeout;
        self.read(&query.request(), after, wire::transfer_list).await
    }

    /// The packages of the NAS with their state. Not every account may ask.
    pub async fn list_packages(&self) -> Result<Read<Vec<Package>>, Error> {
        let after = self.shared.request_timeout;
        self.read(&siblings::list_packages(), after, wire::package_list)
            .await
    }

    /// Several reading calls in one round trip, each with its own verdict. A session that is over is renewed once, also
    /// where only the parts say so.
    ///
    /// # Errors
    /// [`Error::Configuration`] if a call is not known to only read; [`Error::Refused`] where the NAS has no such API.
    pub async fn ask_together(&self, calls: &[Invocation]) -> Result<Read<Vec<Part>>, Error> {
        if let Some(call) = calls.iter().find(|call| !call.only_reads()) {
            let what = format!("{} is not known to only read", call.call());
            return Err(Error::Configuration { what });
        }
        let parts: Vec<Request> = calls.iter().map(|call| call.request.clone()).collect();
        let request = siblings::compound(&parts);
        let after = self.shared.request_timeout;
        let asked = parts.len();
        self.read(&request, after, move |body: &[u8]| {
            let parts = wire::compound(body, asked)?;
            match parts.as_slice() {
                // A dead session may show in the parts only, while the whole succeeds.
                [Err(code), ..] if is_session(*code) => Err(wire::Fault::Code(*code)),
                _ => Ok(parts),
            }
        })
        .await
    }

    /// How long a call may take: the lists of tasks are slow.
    fn time_for(&self, request: &Request) -> Duration {
        match request.call.method {
            "list" | "list_with_device" if request.call.api == "SYNO.ActiveBackup.Task" => {
                self.shared.list_timeout
            }
            _ => self.shared.request_timeout,
        }
    }

    /// A read that needs no session.
    pub(super) async fn ask_openly<T>(
        &self,
        path: &str,
        request: &Request,
        after: Duration,
        parse: impl Fn(&[u8]) -> Result<T, wire::Fault> + Send,
    ) -> Result<Read<T>, Error> {
        let mut whole = Whole::new(parse);
        match self.exchange(path, request, None, after, &mut whole).await? {
            super::Outcome::Value(read) => Ok(read),
            super::Outcome::Code(code) => Err(Error::from_code(request.call, code)),
        }
    }

    /// Where calls go.
    #[must_use]
    pub fn address(&self) -> String {
        entry_address(&self.shared.url)
    }
}

/// Where the calls to the NAS at `url` go: without user information, which a URL may hold until it is checked.
#[must_use]
pub fn entry_address(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let prefix = url.path().trim_end_matches('/');
    format!("{}://{host}{port}{prefix}/webapi/{ENTRY}", url.scheme())
}

fn is_session(code: i64) -> bool {
    use crate::nas::code::{Context, Meaning};
    Meaning::of(code, Context::Common).is_session()
}
