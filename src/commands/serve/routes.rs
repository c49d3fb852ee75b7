//! The addresses of `serve`, with the responses behind them.
//!
//! | address | response |
//! |---|---|
//! | `/` | the list |
//! | `/runs.json` | the list as data; polled every other second, with the known version as an `ETag` |
//! | `/runs/RUN/` | a run: facts and files |
//! | `/runs/RUN/report.html` | its report; drawn on request if there is none |
//! | `/runs/RUN/FILE` | a file of it, as text |
//! | `/archive/RUN` | all its files as a `.zip` |
//! | `/panels/RUN` | the data of its panels |
//! | `/compare?a=RUN&b=RUN` | two runs side by side |
//!
//! In: requests. Out: responses. A run is looked up by its path before anything is read, see
//! `inside`.

use super::{comparison, inside::Inside, media_type::media_type, responses, row, runs::Runs};
use axum::{
    Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use pages::{Page, escaped, serving, visible_data};
use report::html;
use run_directory::{
    plain_file, run_archive,
    run_files::{self, RunFile},
};
use serde::Deserialize;
use std::{fmt::Write, io, net::SocketAddr, sync::Arc};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// The number of reports drawn at a time: a large history takes memory.
const DRAWN_AT_ONCE: usize = 1;

#[derive(Clone)]
struct Shared {
    runs: Arc<Runs>,
    drawing: Arc<Semaphore>,
}

/// Returns all routes. A server for this machine only refuses requests under any other host name.
pub fn pages(runs: Arc<Runs>, addr: SocketAddr) -> Router {
    let shared = Shared { runs, drawing: Arc::new(Semaphore::new(DRAWN_AT_ONCE)) };
    let router = Router::new()
        .route("/", get(list))
        .route("/runs.json", get(rows))
        .route("/runs/{*path}", get(of_run))
        .route("/archive/{*id}", get(zip))
        .route("/panels/{*id}", get(panels))
        .route("/compare", get(compare))
        .fallback(|| async { responses::missing() })
        .with_state(shared);
    serving::guarded(router, addr)
}

async fn list(State(shared): State<Shared>) -> Response {
    let root = shared.runs.root().display().to_string();
    let body = include_str!("runs.html").replace("{{root}}", &escaped(&root));
    let script = include_str!("runs.js");
    responses::page(Page { title: "Runs", body: &body, draws: false, script, data: None }.html())
}

async fn rows(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let listed = spawn_blocking(move || {
        // Names and targets may come from somebody else, and curl shows them in a terminal.
        serde_json::to_value(shared.runs.list()).map(|list| visible_data(list).to_string())
    })
    .await;
    match listed {
        Ok(Ok(text)) => responses::json(text, headers.get(header::IF_NONE_MATCH)),
        Ok(Err(error)) => responses::failed(error),
        Err(error) => responses::failed(error),
    }
}

/// Answers with a run's page, its report, or one of its files.
async fn of_run(State(shared): State<Shared>, Path(path): Path<String>) -> Response {
    let Some((run, id, rest)) = shared.runs.split(&path) else { return responses::missing() };
    if rest.is_empty() && !path.ends_with('/') {
        // The links of a page are relative to its address.
        let last = percent_encoded(id.rsplit('/').next().unwrap_or_default());
        return Redirect::to(&format!("{last}/")).into_response();
    }
    if rest.is_empty() {
        let id = id.to_owned();
        let page =
            spawn_blocking(move || run_page(&row::read(&run, &id), &run_files::of(run.path())));
        return page.await.map_or_else(responses::failed, responses::page);
    }
    if rest == "report.html" && !run.html().exists() {
        let Ok(_permit) = shared.drawing.acquire().await else { return responses::missing() };
        return match spawn_blocking(move || html::drawn(&run)).await {
            Ok(Ok(html)) => responses::report(html.into()),
            Ok(Err(failure)) => responses::failed(failure),
            Err(error) => responses::failed(error),
        };
    }
    let is_listed = run_files::of(run.path()).iter().any(|kept| kept.name == rest);
    let Some(Inside::File(file)) = super::inside::inside(run.path(), rest).filter(|_| is_listed)
    else {
        return responses::missing();
    };
    let Ok(mut opened) = plain_file::open(&file) else { return responses::missing() };
    let body = responses::streamed(move |to| io::copy(&mut opened, to).map(drop));
    match rest {
        "report.html" => responses::report(body),
        _ => responses::file(body, media_type(rest), None),
    }
}

async fn zip(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let Some(run) = shared.runs.find(&id) else { return responses::missing() };
    let name = id.replace('/', "-");
    let folder = name.clone();
    let body = responses::streamed(move |to| {
        run_archive::stream(run.path(), &folder, &run_files::of(run.path()), to).map(drop)
    });
    responses::file(body, "application/zip", Some(&format!("{name}.zip")))
}

async fn panels(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let Some(run) = shared.runs.find(&id) else { return responses::missing() };
    let Ok(_permit) = shared.drawing.acquire().await else { return responses::missing() };
    match spawn_blocking(move || html::panels_of(&run)).await {
        Ok(Ok(panels)) => responses::json(panels.to_string(), None),
        Ok(Err(failure)) => responses::failed(failure),
        Err(error) => responses::failed(error),
    }
}

#[derive(Deserialize)]
struct Compared {
    a: String,
    b: String,
}

async fn compare(
    State(shared): State<Shared>,
    query: Result<Query<Compared>, QueryRejection>,
) -> Response {
    let Ok(Query(Compared { a, b })) = query else {
        return (StatusCode::BAD_REQUEST, "name two runs: /compare?a=RUN&b=RUN\n").into_response();
    };
    let ids = [a.clone(), b.clone()];
    let lines = spawn_blocking(move || comparison::lines(&shared.runs, [&a, &b])).await;
    match lines {
        Ok(Some(lines)) => responses::page(comparison_page(&ids, &lines)),
        Ok(None) => responses::missing(),
        Err(error) => responses::failed(error),
    }
}

fn run_page(row: &row::Row, kept: &[RunFile]) -> String {
    let state = row::words(&serde_json::to_value(row.state).unwrap_or_default());
    let mut listed = String::new();
    for file in kept {
        // Writing into a string cannot fail.
        let _ = write!(
            listed,
            "<tr><td><a href=\"{}\">{}</a></td><td class=\"n\">{}</td></tr>",
            percent_encoded(&file.name),
            escaped(&file.name),
            file.bytes
        );
    }
    let body = include_str!("run.html")
        .replace("{{files}}", &listed)
        .replace("{{state}}", &state)
        .replace("{{archive}}", &format!("/archive/{}", percent_encoded(&row.id)))
        .replace("{{began}}", &escaped(&row.began))
        .replace("{{says}}", &escaped(&row.says))
        .replace("{{id}}", &escaped(&row.id));
    let script = include_str!("run.js");
    Page { title: &row.id, body: &body, draws: false, script, data: None }.html()
}

fn comparison_page(ids: &[String; 2], lines: &[comparison::Line]) -> String {
    let mut rows = String::new();
    for line in lines {
        let class = if line.differs() { " class=\"differs\"" } else { "" };
        let [a, b] = line.values.each_ref().map(|value| escaped(value));
        // Writing into a string cannot fail.
        let _ = write!(
            rows,
            "<tr{class}><th scope=\"row\">{}</th><td>{a}</td><td>{b}</td></tr>",
            escaped(&line.what)
        );
    }
    let [a, b] = ids.each_ref().map(|id| (percent_encoded(id), escaped(id)));
    let body = include_str!("compare.html")
        .replace("{{rows}}", &rows)
        .replace("{{a-path}}", &a.0)
        .replace("{{b-path}}", &b.0)
        .replace("{{a}}", &a.1)
        .replace("{{b}}", &b.1);
    let data = serde_json::json!(ids).to_string();
    let script = include_str!("compare.js");
    Page { title: "Two runs", body: &body, draws: true, script, data: Some(&data) }.html()
}

/// Percent-encodes a path for an address: all but slashes and unreserved characters.
fn percent_encoded(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_./".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
