//! Where pages are served: a listener that a browser can reach, and who may ask there.
//!
//! In: an address, and what shall be served there. Out: a listener, or one sentence that says what to do. A browser
//! connects to no port that another protocol is known for, so such a port is refused, or drawn again. Knows nothing
//! of pages.

use crate::exit::Failure;
use axum::{
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    collections::BTreeSet,
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
};
use tokio::net::TcpListener;

/// The "bad ports" of the WHATWG Fetch standard (<https://fetch.spec.whatwg.org/#port-blocking>), which browsers block.
const BLOCKED: [u16; 82] = [
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
    103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
    512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
    995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
    6669, 6679, 6697, 10080,
];

/// The ports that no browser opens.
pub fn blocked() -> BTreeSet<u16> {
    BLOCKED.into()
}

/// Refuses a port that no browser opens. `what` shall be served there, in words: "the live page".
pub fn refuse_blocked(what: &str, port: u16) -> Result<(), Failure> {
    if BLOCKED.contains(&port) {
        return Err(Failure::usage(format!(
            "no browser opens port {port}, which is known for another protocol: choose another one for {what}, or 0"
        )));
    }
    Ok(())
}

/// Listens at an address (port 0 = pick one).
pub async fn listen(what: &str, addr: SocketAddr) -> Result<TcpListener, Failure> {
    refuse_blocked(what, addr.port())?;
    // Held until another one is found, so that it is not drawn again.
    let mut useless = Vec::new();
    loop {
        let listener = TcpListener::bind(addr).await.map_err(|error| {
            let why = match error.kind() {
                ErrorKind::AddrInUse => "that port is in use".to_owned(),
                _ => error.to_string(),
            };
            Failure::target_or_disk(format!(
                "{what} cannot be served at {addr}: {why}; choose another port, or 0 for any"
            ))
        })?;
        let port = listener.local_addr().map_err(Failure::target_or_disk)?.port();
        if !BLOCKED.contains(&port) {
            return Ok(listener);
        }
        useless.push(listener);
    }
}

/// Refuses requests that do not name this machine: a foreign page can make a browser connect to a loopback address,
/// but only under its own name.
pub async fn loopback_only(request: Request, next: Next) -> Response {
    let allowed = match host(&request) {
        Some(Host::Address(ip)) => ip.is_loopback(),
        Some(Host::Localhost) => true,
        None => false,
    };
    if allowed { next.run(request).await } else { StatusCode::FORBIDDEN.into_response() }
}

/// Refuses requests under any name but an address: what a foreign page has is a name.
pub async fn addresses_only(request: Request, next: Next) -> Response {
    if host(&request).is_some() {
        return next.run(request).await;
    }
    let why = "ask for this page under the machine's IP address, not under a name\n";
    (StatusCode::FORBIDDEN, why).into_response()
}

/// Whom a request names.
enum Host {
    Address(IpAddr),
    Localhost,
}

fn host(request: &Request) -> Option<Host> {
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    let name = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    let name = name.map_or(host, |(name, _)| name);
    if name == "localhost" {
        return Some(Host::Localhost);
    }
    name.trim_start_matches('[').trim_end_matches(']').parse().ok().map(Host::Address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[tokio::test]
    async fn a_port_that_no_browser_opens_is_refused() {
        for port in [6000, 6667, 10_080] {
            let failure = listen("the page", SocketAddr::from(([127, 0, 0, 1], port))).await;
            let failure = failure.expect_err("blocked");
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.sentence.contains(&port.to_string()), "{failure}");
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_one_sentence() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = listen("the page", any).await.expect("a port");
        let taken = first.local_addr().expect("an address");
        let failure = listen("the page", taken).await.expect_err("in use");
        assert_eq!(failure.exit, Exit::TargetOrDisk);
        assert!(failure.sentence.contains("in use"), "{failure}");
    }

    #[test]
    fn a_name_is_no_address() {
        let named = |host: &str| {
            let request =
                Request::builder().header(header::HOST, host).body(axum::body::Body::empty());
            super::host(&request.expect("a request"))
        };
        for host in
            ["127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8080", "localhost:1", "10.1.2.3:4"]
        {
            assert!(named(host).is_some(), "{host}");
        }
        for host in
            ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost.evil"]
        {
            assert!(named(host).is_none(), "{host}");
        }
    }
}
