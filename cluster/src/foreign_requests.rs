//! Refuses HTTP requests that a foreign web page made a browser send.
//!
//! In: a request's `Host` and `Origin`. Out: the request, or 403 with a sentence.
//!
//! A foreign page can make a browser connect to this machine. But such a request bears the page's
//! own origin, or, after DNS rebinding, the page's own name as host. So a request passes if each of
//! the two headers is absent, names the loopback interface, or is the address that the server
//! itself serves on, with any port. Tools such as curl and pd-ctl send no `Origin`; gRPC over
//! HTTP/2, which no page can speak, sends no `Host`.

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, Version, header},
    middleware::{Next, from_fn},
    response::IntoResponse,
};
use std::net::IpAddr;

/// Wraps routes so that requests caused by a foreign page are refused. `own` is the address that
/// they are served on.
pub fn refused(routes: Router, own: IpAddr) -> Router {
    routes.layer(from_fn(move |request: Request, next: Next| async move {
        match foreign_part(&request, Some(own)) {
            None => next.run(request).await,
            Some(part) => {
                let sentence = format!(
                    "the request's {part} is foreign: ask without Origin, under a loopback name or address, or under \
                     {own}\n"
                );
                (StatusCode::FORBIDDEN, sentence).into_response()
            }
        }
    }))
}

/// The part of a request that shows that a foreign page caused it: `Host` or `Origin`.
pub fn foreign_part(request: &Request, own: Option<IpAddr>) -> Option<&'static str> {
    let all = |name, is_ours: &dyn Fn(&str) -> bool| {
        request.headers().get_all(name).iter().all(|value| value.to_str().is_ok_and(is_ours))
    };
    if !all(header::HOST, &|host| is_ours(host, own)) {
        return Some("Host");
    }
    let named = request.uri().authority().filter(|_| request.version() < Version::HTTP_2);
    if named.is_some_and(|authority| !is_ours(authority.as_str(), own)) {
        return Some("Host");
    }
    let of_an_origin = |origin: &str| {
        origin.split_once("://").is_some_and(|(scheme, host)| {
            (scheme == "http" || scheme == "https") && is_ours(host, own)
        })
    };
    (!all(header::ORIGIN, &of_an_origin)).then_some("Origin")
}

/// Returns true if `host` or `host:port` names the loopback interface or is `own`.
fn is_ours(authority: &str, own: Option<IpAddr>) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            if port.parse::<u16>().is_err() {
                return false;
            }
            host
        }
        _ => authority,
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').unwrap_or_default(),
        None => host,
    };
    let address = address.parse::<IpAddr>().map(|it| it.to_canonical());
    address.is_ok_and(|it| it.is_loopback() || own.is_some_and(|own| own.to_canonical() == it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn part(version: Version, headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = Request::builder().version(version).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let own: IpAddr = "10.1.2.3".parse().expect("an address");
        foreign_part(&request.body(Body::empty()).expect("a request"), Some(own))
    }

    #[test]
    fn loopback_the_own_address_and_nothing_at_all_pass() {
        assert_eq!(part(Version::HTTP_11, &[]), None);
        for host in [
            "127.0.0.1",
            "127.0.0.1:2379",
            "127.9.9.9:1",
            "localhost",
            "LocalHost:80",
            "localhost.:80",
            "[::1]",
            "[::1]:2379",
            "[::ffff:127.0.0.1]:1",
            "10.1.2.3",
            "10.1.2.3:2379",
        ] {
            assert_eq!(part(Version::HTTP_11, &[("host", host)]), None, "{host}");
            for scheme in ["http", "https"] {
                let origin = format!("{scheme}://{host}");
                assert_eq!(part(Version::HTTP_11, &[("origin", &origin)]), None, "{origin}");
            }
        }
    }

    #[test]
    fn everything_else_is_foreign() {
        for host in [
            "evil.example",
            "evil.example:2379",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "10.1.2.4:2379",
            "0.0.0.0:2379",
            "[::]",
            "",
            ":2379",
            "127.0.0.1:x",
            "user@127.0.0.1",
            "127.0.0.1@evil.example",
            "[127.0.0.1",
            "2130706433",
            "127.1",
        ] {
            assert_eq!(part(Version::HTTP_11, &[("host", host)]), Some("Host"), "{host}");
            let origin = format!("http://{host}");
            assert_eq!(part(Version::HTTP_11, &[("origin", &origin)]), Some("Origin"), "{origin}");
        }
        for origin in
            ["null", "file://", "127.0.0.1", "ftp://127.0.0.1", "chrome-extension://localhost"]
        {
            assert_eq!(part(Version::HTTP_11, &[("origin", origin)]), Some("Origin"), "{origin}");
        }
        let second = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(part(Version::HTTP_11, &second), Some("Host"), "each of several counts");
        let over_http2 = [("origin", "http://evil.example")];
        assert_eq!(part(Version::HTTP_2, &over_http2), Some("Origin"));
    }

    #[test]
    fn a_request_line_with_a_foreign_host_is_foreign_but_an_authority_of_http2_is_not() {
        let named = |version| {
            let request =
                Request::builder().version(version).uri("http://pd.example:2379/pd/health");
            foreign_part(&request.body(Body::empty()).expect("a request"), None)
        };
        assert_eq!(named(Version::HTTP_11), Some("Host"));
        assert_eq!(named(Version::HTTP_2), None, "gRPC under PD's name");
    }
}
