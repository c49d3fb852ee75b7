//! Responses to browsers: pages, JSON, and files streamed while they are read.
//!
//! In: bodies. Out: responses with their media type and permissions. A run may come from somebody
//! else. So its files are shown as text, and its report may run scripts but contact nobody, this
//! server included.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::io::{self, Write};
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

/// The size of a chunk, bytes; a channel holds several for a slow reader.
const CHUNK: usize = 64 << 10;
const WAITING_MAX: usize = 8;
/// A report's scripts draw. The sandbox gives them no origin, so they cannot ask for other runs.
const REPORT_POLICY: &str = "sandbox allow-scripts allow-downloads allow-popups allow-top-navigation-by-user-activation; \
     default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// A page of this server's own.
pub fn page(html: String) -> Response {
    let mut response = Response::new(Body::from(html));
    with(&mut response, header::CONTENT_TYPE, "text/html; charset=utf-8");
    with(&mut response, header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'");
    plain(response)
}

/// A run's report.
pub fn report(body: Body) -> Response {
    let mut response = Response::new(body);
    with(&mut response, header::CONTENT_TYPE, "text/html; charset=utf-8");
    with(&mut response, header::CONTENT_SECURITY_POLICY, REPORT_POLICY);
    plain(response)
}

/// JSON, or "not modified" if the browser has it already.
pub fn json(text: String, known: Option<&HeaderValue>) -> Response {
    let tag = HeaderValue::from_str(&format!("\"{:08x}\"", crc32fast::hash(text.as_bytes())));
    let Ok(tag) = tag else { return plain(text.into_response()) };
    if known == Some(&tag) {
        return plain(StatusCode::NOT_MODIFIED.into_response());
    }
    let mut response = Response::new(Body::from(text));
    with(&mut response, header::CONTENT_TYPE, "application/json");
    response.headers_mut().insert(header::ETAG, tag);
    plain(response)
}

/// A file or an archive.
pub fn file(body: Body, media_type: &'static str, save_as: Option<&str>) -> Response {
    let mut response = Response::new(body);
    with(&mut response, header::CONTENT_TYPE, media_type);
    with(&mut response, header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'");
    if let Some(name) = save_as {
        let tame = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let name: String = name.chars().map(tame).collect();
        let value = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
        response.headers_mut().extend(value.ok().map(|it| (header::CONTENT_DISPOSITION, it)));
    }
    plain(response)
}

/// The response for a missing thing.
pub fn missing() -> Response {
    plain((StatusCode::NOT_FOUND, "there is no such run, or no such file of it\n").into_response())
}

/// The response for a thing that exists but could not be served.
pub fn failed(why: impl std::fmt::Display) -> Response {
    plain((StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")).into_response())
}

fn with(response: &mut Response, name: header::HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

/// Adds the headers of every response: no guessing of types, no reuse without asking, no referrer
/// to other pages.
fn plain(mut response: Response) -> Response {
    with(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    with(&mut response, header::CACHE_CONTROL, "no-cache");
    with(&mut response, header::REFERRER_POLICY, "no-referrer");
    response
}

/// A body that a thread, which may block, writes while it is sent. The body ends early if the
/// thread fails or the reader leaves.
pub fn streamed<F>(make: F) -> Body
where
    F: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
{
    let (sender, receiver) = channel(WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut sending = io::BufWriter::with_capacity(CHUNK, Sending(sender.clone()));
        let result = make(&mut sending).and_then(|()| sending.flush());
        if let Err(error) = result {
            // The connection is cut, so that the reader notices that the body is incomplete.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Body::from_stream(ReceiverStream::new(receiver))
}

struct Sending(Sender<io::Result<Vec<u8>>>);

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(bytes.to_vec())).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
