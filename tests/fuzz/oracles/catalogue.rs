//! A password goes nowhere but below `/webapi/`, whatever path the catalogue names.

use abb_operator::nas::{login_route, wire::catalogue};
use url::Url;

pub fn check(body: &[u8]) {
    let Ok(found) = catalogue(body) else { return };
    let Ok((path, version)) = login_route(&found) else {
        return;
    };
    let base = Url::parse("https://nas.example:5001/webapi/").expect("a URL");
    let joined = base.join(&path).expect("a path of a URL");
    assert_eq!(joined.host_str(), Some("nas.example"), "{path:?}");
    assert_eq!(joined.path(), format!("/webapi/{path}"), "{path:?}");
    assert!(
        joined.query().is_none() && joined.fragment().is_none(),
        "{path:?}"
    );
    assert!(
        !path.contains(['%', '\\', '?', '#', ':', ' ']) && !path.is_empty(),
        "{path:?}"
    );
    assert!(
        !path
            .split('/')
            .any(|part| part.is_empty() || part.starts_with('.')),
        "{path:?}"
    );
    let entry = found.apis.get("SYNO.API.Auth");
    let range = entry.map(|entry| (entry.min_version.unwrap_or(1), entry.max_version.unwrap_or(6)));
    assert!(
        range.is_none_or(|(min, max)| min > max || (min..=max).contains(&version)),
        "{version} of {range:?}"
    );
}
