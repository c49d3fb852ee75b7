//! Serves pages: a listener that a browser can reach, and a filter of requests.
//!
//! In: an address, and the pages. Out: a listener, or one sentence that says what to do. A browser
//! connects to no port that another protocol is known for, so such a port is refused, or another
//! one is picked. Knows nothing of pages.

use super::connections::{self, Limits};
use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use cluster::foreign_requests;
use failure::{Failure, wall_clock::refuse_before_1970};
use std::{
    collections::BTreeSet,
    convert::Infallible,
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
};
use tokio::net::TcpListener;

/// The "bad ports" of the WHATWG Fetch standard (<https://fetch.spec.whatwg.org/#port-blocking>),
/// which browsers block.
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

/// Refuses a port that no browser opens. `what` names the service, in words: "the live page".
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
    refuse_before_1970()?;
    // Held until a good port is found, so that these are not picked again.
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

/// Answers clients until this is dropped: then their connections end too.
pub async fn serve(listener: TcpListener, pages: Router) -> Infallible {
    connections::serve(Limits::PAGES, listener, pages).await
}

/// Refuses requests that do not name this machine: a foreign page can make a browser connect to a
/// loopback address, but only under its own name.
pub async fn loopback_only(request: Request, next: Next) -> Response {
    let is_ours = request.headers().contains_key(header::HOST)
        && foreign_requests::foreign_part(&request, None).is_none();
    if is_ours { next.run(request).await } else { StatusCode::FORBIDDEN.into_response() }
}

/// Refuses requests under any name but an address, since a foreign page has a name.
pub async fn addresses_only(request: Request, next: Next) -> Response {
    if names_an_address(&request) {
        return next.run(request).await;
    }
    let why = "ask for this page under the machine's IP address, not under a name\n";
    (StatusCode::FORBIDDEN, why).into_response()
}

/// Admits only requests under the names that suit the serving address.
pub fn guarded(pages: Router, addr: SocketAddr) -> Router {
    if addr.ip().is_loopback() {
        pages.layer(from_fn(loopback_only))
    } else {
        pages.layer(from_fn(addresses_only))
    }
}

fn names_an_address(request: &Request) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    });
    name.is_some_and(|name| {
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || address.parse::<IpAddr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use failure::Exit;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        task::JoinSet,
    };

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

    /// A page, and its address.
    async fn served() -> (SocketAddr, JoinSet<Infallible>) {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = listen("the page", any).await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let pages = guarded(Router::new().route("/", get(|| async { "the page" })), addr);
        let mut server = JoinSet::new();
        server.spawn(serve(listener, pages));
        (addr, server)
    }

    /// The whole answer to a request, to the end of the connection.
    async fn answer(mut stream: TcpStream, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn foreign_hosts_and_origins_are_refused() {
        let (addr, _server) = served().await;
        for (headers, code) in [
            ("Host: 127.0.0.1:9", 200),
            ("Host: localhost\r\nOrigin: http://localhost:9", 200),
            ("Host: evil.example", 403),
            ("Host: localhost\r\nOrigin: http://evil.example", 403),
            ("Host: localhost\r\nOrigin: null", 403),
        ] {
            let stream = TcpStream::connect(addr).await.expect("connected");
            let request = format!("GET / HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n");
            let answer = answer(stream, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {code}")), "{headers}: {answer}");
        }
    }

    #[test]
    fn a_name_is_no_address() {
        let named = |host: &str| {
            let request =
                Request::builder().header(header::HOST, host).body(axum::body::Body::empty());
            names_an_address(&request.expect("a request"))
        };
        for host in
            ["127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8080", "localhost:1", "10.1.2.3:4"]
        {
            assert!(named(host), "{host}");
        }
        for host in
            ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost.evil"]
        {
            assert!(!named(host), "{host}");
        }
    }
}
