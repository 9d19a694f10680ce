//! The way to the API server. kube's own client leaves Nagle's algorithm on: a small request that follows another one waits
//! until the first is acknowledged, which the other side puts off by 40 ms. Each write of ours is a small request that
//! somebody waits for.

use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt},
};
use tower::{BoxError, ServiceExt};

/// A client of this cluster that sends at once and repeats nothing by itself: retries of kube's would repeat writes that may
/// have been committed, see [`super::kubernetes`].
///
/// # Errors
/// The configuration cannot be used.
pub fn cluster_client(mut config: Config) -> kube::Result<Client> {
    config.default_retry = false;
    if config.proxy_url.is_some() {
        // How to get through a proxy is known there.
        return Client::try_from(config);
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
    let addressed = config.base_uri_layer();
    Ok(match config.auth_layer()? {
        Some(authorized) => client.with_layer(&authorized).with_layer(&addressed).build(),
        None => client.with_layer(&addressed).build(),
    })
}
