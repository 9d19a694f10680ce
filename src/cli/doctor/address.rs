//! The way to the machine: the name, the port, and what is shown there.

use std::time::Duration;

use kube::ResourceExt;

use super::{certificate, cluster::Site, report::Report};
use crate::{
    api::BackupServer,
    nas::{Endpoint, Trust, reach},
};

/// Longest wait for a name or a connection; the request's own time may be longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the NAS can be spoken to from here. Where the operator can, a fault of this machine's way stops no run.
pub(super) async fn look(
    site: &Site,
    server: &BackupServer,
    endpoint: &Endpoint,
    stops_runs: bool,
    report: &mut Report,
) -> bool {
    let url = &endpoint.url;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let after = endpoint.request_timeout.min(PATIENCE);
    let but = if stops_runs {
        ""
    } else {
        ", from this machine; the operator's way is another, and it got through when it last looked"
    };
    let addresses = match reach::resolve(url, after).await {
        Ok(addresses) => addresses,
        Err(cause) => {
            let text = format!(
                "{host:?} stands for no address{but}: {cause}; correct spec.url or the name server: nslookup {host}"
            );
            report.fault_told(stops_runs, "name", &text);
            return false;
        }
    };
    let is_name = url.domain().is_some();
    if is_name {
        let texts: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        report.ok("name", &format!("{host} stands for {}", texts.join(", ")));
    }
    let (address, stream) = match reach::connect(&addresses, after).await {
        Ok(connected) => connected,
        Err(cause) => {
            let text = format!(
                "no connection to {host} port {port}{but}: {cause}; check that the NAS is on, the port (DSM's own is 5001 \
                 for https) and the firewall: nc -vz {} {port}",
                host.trim_matches(['[', ']'])
            );
            report.fault_told(stops_runs, "connection", &text);
            return false;
        }
    };
    report.ok("connection", &format!("{address} takes connections"));
    if endpoint.trust == Trust::Plaintext {
        return is_plain(site, server, endpoint, stream, after, report).await;
    }
    match reach::certificate(endpoint, stream, address).await {
        Ok(shown) => certificate::judge(site, server, endpoint, &shown, report),
        Err(cause) => {
            let text = format!(
                "what listens on {host} port {port} does not speak TLS{but}: {cause}; name the port of DSM's https in \
                 spec.url, usually 5001, and no other service's"
            );
            report.fault_told(stops_runs, "certificate", &text);
            false
        }
    }
}

/// Whether a plain URL is right: a port that speaks TLS answers nothing else.
async fn is_plain(
    site: &Site,
    server: &BackupServer,
    endpoint: &Endpoint,
    stream: tokio::net::TcpStream,
    after: Duration,
    report: &mut Report,
) -> bool {
    if !reach::speaks_tls(&endpoint.url, stream, after).await {
        return true;
    }
    let mut url = endpoint.url.clone();
    // An http URL takes the other scheme.
    let _ = url.set_scheme("https");
    let found = "spec.url is http://, and what listens there speaks TLS";
    let remedy = format!(
        "kubectl -n {} patch backupserver {} --type merge -p '{{\"spec\":{{\"url\":\"{}\"}}}}', and pin the certificate \
         with tls.fingerprint",
        site.namespace,
        server.name_any(),
        url.as_str().trim_end_matches('/')
    );
    report.fail("certificate", found, &remedy);
    false
}
