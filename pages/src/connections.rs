//! The connections of a page's server: their number is limited, and a new client is answered even
//! if others hold all the connections.
//!
//! In: a listener and pages. Out: answers. A connection that brings no whole request is closed
//! after a while. When all places are taken, the connection that has been quiet for longest is
//! closed. A quiet connection waits for its client's next request, or its client has stopped
//! reading the answer. When all others are being answered, the new client is refused at once, with
//! a sentence. Knows nothing of pages.

use axum::{
    Router,
    body::{Body, Bytes},
};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tower::ServiceExt;

/// The wait after a connection that could not be accepted.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Bytes and time granted to a refused client, so that it gets to see the reason.
const REFUSED_BYTES_MAX: u64 = 64 << 10;
const REFUSED_WITHIN: Duration = Duration::from_secs(1);
/// The answer of a server whose connections are all being answered.
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 68\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
    too many pages are open here: close some of them, and load this anew";

/// Limits on the machine's resources that clients can take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The number of connections open at one time.
    pub connections: usize,
    /// The time after which a connection without a whole request is closed.
    pub headers_within: Duration,
    /// The time after which a client that has taken nothing of its answer counts as stalled.
    pub stalled_after: Duration,
}

impl Limits {
    /// The limits of every page's server.
    pub const PAGES: Self = Self {
        connections: 128,
        headers_within: Duration::from_secs(15),
        stalled_after: Duration::from_mins(1),
    };
}

/// Answers clients until this is dropped: then their connections end too.
pub async fn serve(limits: Limits, listener: TcpListener, pages: Router) -> Infallible {
    let mut open = Open { limits, connections: Vec::new() };
    // The tasks end when these are dropped with this future.
    let (mut answered, mut refused) = (JoinSet::new(), JoinSet::new());
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // The client gave up, or open files have run out: the next connection may succeed.
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                continue;
            }
        };
        while answered.try_join_next().is_some() {}
        while refused.try_join_next().is_some() {}
        if open.has_room() {
            let activity = Arc::new(Activity::default());
            let connection =
                answer(stream, pages.clone(), limits.headers_within, Arc::clone(&activity));
            let task = answered.spawn(connection);
            open.connections.push(Connection { task, activity });
        } else if refused.len() < limits.connections {
            // A client that neither sends nor reads is not waited for.
            refused.spawn(async { _ = tokio::time::timeout(REFUSED_WITHIN, refuse(stream)).await });
        }
    }
}

/// The connections that are open.
struct Open {
    limits: Limits,
    connections: Vec<Connection>,
}

struct Connection {
    task: AbortHandle,
    activity: Arc<Activity>,
}

impl Open {
    /// Returns true if there is room for one more connection. If needed, closes the one that has
    /// been quiet for longest.
    fn has_room(&mut self) -> bool {
        self.connections.retain(|it| !it.task.is_finished());
        if self.connections.len() < self.limits.connections {
            return true;
        }
        let quiet = self.connections.iter().enumerate().filter_map(|(place, it)| {
            Some((it.activity.quiet_since(self.limits.stalled_after)?, place))
        });
        let Some((_, place)) = quiet.min() else { return false };
        self.connections.swap_remove(place).task.abort();
        true
    }
}

/// The activity of a connection.
struct Activity(Mutex<Seen>);

struct Seen {
    /// Requests whose answer is not over.
    being_answered: usize,
    /// The time when the connection last began, brought a request, or took part of an answer.
    last: Instant,
}

impl Default for Activity {
    fn default() -> Self {
        Self(Mutex::new(Seen { being_answered: 0, last: Instant::now() }))
    }
}

impl Activity {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.last = Instant::now();
        seen
    }

    /// The time since when the connection has been quiet; `None` if it is being answered.
    fn quiet_since(&self, stalled_after: Duration) -> Option<Instant> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_quiet = seen.being_answered == 0 || seen.last.elapsed() > stalled_after;
        is_quiet.then_some(seen.last)
    }
}

/// A request that is being answered, until this is dropped.
struct Answering(Arc<Activity>);

impl Answering {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.seen().being_answered += 1;
        Self(Arc::clone(activity))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.seen().being_answered -= 1;
    }
}

/// The body of an answer: the answer is over when it is dropped.
struct Answer {
    body: Body,
    answering: Answering,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        drop(self.answering.0.seen());
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Answers the requests of one connection.
async fn answer(stream: TcpStream, pages: Router, within: Duration, activity: Arc<Activity>) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (pages, answering) = (pages.clone(), Answering::begin(&activity));
        async {
            let response = pages.oneshot(request).await?;
            Ok::<_, Infallible>(response.map(|body| Answer { body, answering }))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(within);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Sends the refusal and reads the request: otherwise the client would only see a broken
/// connection.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(BUSY.as_bytes()).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(REFUSED_BYTES_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::net::SocketAddr;

    const LONG: Duration = Duration::from_hours(1);
    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const ENDLESS: &str = "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// A body that begins and never ends.
    fn endless() -> Body {
        use futures::StreamExt;
        let begun = futures::stream::once(async { Ok::<_, Infallible>("begun") });
        Body::from_stream(begun.chain(futures::stream::pending()))
    }

    /// A page with these limits, and its address.
    async fn served(
        connections: usize,
        stalled_after: Duration,
    ) -> (SocketAddr, JoinSet<Infallible>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let pages = Router::new()
            .route("/", get(|| async { "the page" }))
            .route("/endless", get(|| async { endless() }));
        let limits = Limits { connections, headers_within: LONG, stalled_after };
        let mut server = JoinSet::new();
        server.spawn(serve(limits, listener, pages));
        (addr, server)
    }

    /// The whole answer to a request, to the end of the connection.
    async fn answer_to(addr: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A connection that is being answered.
    async fn watching(addr: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(addr).await.expect("connected");
        stream.write_all(ENDLESS.as_bytes()).await.expect("sent");
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains("begun") {
            said.push(stream.read_u8().await.expect("the answer begins"));
        }
        stream
    }

    #[tokio::test]
    async fn idle_connections_make_room_the_oldest_first() {
        let (addr, _server) = served(2, LONG).await;
        let mut idle = Vec::new();
        for _ in 0..5 {
            idle.push(TcpStream::connect(addr).await.expect("connected"));
        }
        let answer = answer_to(addr, REQUEST).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("the page"), "{answer}");
        for stream in &mut idle[..4] {
            assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "it is closed");
        }
        idle[4].write_all(REQUEST.as_bytes()).await.expect("sent");
        assert!(idle[4].read(&mut [0]).await.is_ok_and(|bytes| bytes == 1), "it is still there");
    }

    #[tokio::test]
    async fn who_is_being_answered_stays_and_a_new_client_is_told() {
        let (addr, _server) = served(2, LONG).await;
        let watchers = [watching(addr).await, watching(addr).await];
        let refused = answer_to(addr, REQUEST).await;
        assert_eq!(refused, BUSY);
        let (head, body) = refused.split_once("\r\n\r\n").expect("an answer");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        drop(watchers);
        // The server notices a moment later that the clients have gone.
        while !answer_to(addr, REQUEST).await.ends_with("the page") {}
    }

    #[tokio::test]
    async fn who_stopped_reading_makes_room() {
        let (addr, _server) = served(1, Duration::ZERO).await;
        let _stalled = watching(addr).await;
        let answer = answer_to(addr, REQUEST).await;
        assert!(answer.ends_with("the page"), "{answer}");
    }

    #[tokio::test]
    async fn a_request_that_never_comes_to_its_end_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let pages = Router::new().route("/", get(|| async { "the page" }));
        let headers_within = Duration::from_millis(100);
        let limits = Limits { connections: 8, headers_within, stalled_after: LONG };
        let mut server = JoinSet::new();
        server.spawn(serve(limits, listener, pages));
        for begun in ["", "GET / HTTP/1.1\r\nHost: local"] {
            let answer = answer_to(addr, begun).await;
            assert!(!answer.contains("the page"), "{answer}");
        }
        let whole = answer_to(addr, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with("the page"), "{whole}");
    }
}
