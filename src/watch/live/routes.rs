//! The routes of the live page's server: the page, and its events.
//!
//! In: observations. Out: HTTP. A request that a foreign page made a browser send is refused by its
//! `Host`.

use super::watch::Past;
use axum::{
    Router,
    extract::State,
    response::{
        Html,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use pages::{Page, escaped, serving::loopback_only};
use std::{convert::Infallible, sync::Arc};
use tokio_stream::{Stream, StreamExt, once, wrappers::BroadcastStream};

/// Returns the routes of the page and its events.
pub fn pages(title: &str, pd: &str, past: Past) -> Router {
    let body = include_str!("live.html")
        .replace("{{title}}", &escaped(title))
        .replace("{{pd}}", &escaped(pd));
    let script = include_str!("live.js");
    let html: Arc<str> = Page { title, body: &body, draws: true, script, data: None }.html().into();
    Router::new()
        .route("/", get(move || std::future::ready(Html(html.to_string()))))
        .route("/events", get(events))
        .with_state(past)
        .layer(axum::middleware::from_fn(loopback_only))
}

/// Sends the past first, then every update. A page that falls behind is cut off, connects again and
/// gets the past.
async fn events(State(past): State<Past>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (past, listener) = past.listen();
    let first = Event::default().event("past").data(past);
    let updates = BroadcastStream::new(listener)
        .map_while(Result::ok)
        .map(|update| Event::default().event("sample").data(&*update));
    Sse::new(once(first).chain(updates).map(Ok)).keep_alive(KeepAlive::default())
}
