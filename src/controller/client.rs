//! The way to the API server. kube's own client leaves Nagle's algorithm on: a small request that follows another one waits
//! until the first is acknowledged, which the other side puts off by 40 ms. Each write of ours is a small request that
//! somebody waits for.

use http::{Request, Uri};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt},
};
use tower::{BoxError, ServiceExt, util::MapRequestLayer};

/// A client of this cluster that sends at once and repeats nothing by itself: retries of kube's would repeat writes that may
/// have been committed, see [`super::kubernetes`].
///
/// # Errors
/// The configuration cannot be used.
pub fn cluster_client(mut config: Config) -> kube::Result<Client> {
    config.default_retry = false;
    let consistent = MapRequestLayer::new(|mut request: Request<Body>| {
        if let Some(uri) = consistent(request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    });
    if config.proxy_url.is_some() {
        // How to get through a proxy is known there.
        return Ok(ClientBuilder::try_from(config)?.with_layer(&consistent).build());
    }
    let mut sockets = HttpConnector::new();
    sockets.enforce_http(false);
    sockets.set_nodelay(true);
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(sockets)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let http: Http<_, Body> = Http::builder(TokioExecutor::new()).build(connector);
    let client = ClientBuilder::new(http.map_err(BoxError::from), config.default_namespace.clone())
        .with_layer(&config.extra_headers_layer()?);
    let client = client.with_layer(&consistent);
    let addressed = config.base_uri_layer();
    Ok(match config.auth_layer()? {
        Some(authorized) => client.with_layer(&authorized).with_layer(&addressed).build(),
        None => client.with_layer(&addressed).build(),
    })
}

/// The same request for a list as a stream that shows what is there when it is asked for. kube asks for version 0, with which the
/// API server may show what its cache held earlier; without a version it may not (Kubernetes, "Streaming lists").
fn consistent(uri: &Uri) -> Option<Uri> {
    let (path, query) = (uri.path(), uri.query()?);
    if !query.split('&').any(|part| part == "sendInitialEvents=true") {
        return None;
    }
    let parts: Vec<&str> = query
        .split('&')
        .filter(|part| *part != "resourceVersion=0")
        .collect();
    let mut changed = uri.clone().into_parts();
    changed.path_and_query = Some(format!("{path}?{}", parts.join("&")).parse().ok()?);
    Uri::from_parts(changed).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn a_list_as_a_stream_is_asked_for_as_it_is_now() {
        let of = |text: &str| consistent(&text.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(
            of(
                "/apis/a/b?&watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0"
            ),
            Some("/apis/a/b?&watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan".to_owned())
        );
        assert_eq!(
            of("http://host/b?sendInitialEvents=true&resourceVersion=07"),
            Some("http://host/b?sendInitialEvents=true&resourceVersion=07".to_owned())
        );
        assert_eq!(of("/apis/a/b?&watch=true&resourceVersion=0"), None);
        assert_eq!(of("/apis/a/b"), None);
    }
}
