//! The pages in a real browser: reports of runs of every kind are drawn without an error and
//! without asking anybody, fit their window, and can be hovered over and zoomed. Skips, with the
//! reason printed, where there is no Chromium.
//!
//! With `JEPSEN_TIKV_SCREENSHOTS=DIR` pictures of every page are kept, to be looked at.

mod axe;
mod browser;
mod served;
mod watched;

use browser::Browser;
use serde_json::json;
use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// A page is at most so large.
const BYTES_MAX: u64 = 5_000_000;

const HEADER: &str = r#"{"format":"jepsen-tikv history","version":1,"target":"a test's target","workload":"register","client":"direct","concurrency":2,"nemesis":["pause-leader"],"seed":7}"#;

/// Makes a run directory of these lines.
fn make_run(runs: &Path, name: &str, history: &str) -> PathBuf {
    let run = runs.join(name).join("20260101T000000.000Z");
    std::fs::create_dir_all(&run).expect("made");
    std::fs::write(run.join("history.jsonl"), history).expect("written");
    run
}

/// Makes a run directory of these lines and its report; the page.
fn report(runs: &Path, name: &str, history: &str) -> PathBuf {
    let run = make_run(runs, name, history);
    Command::new(env!("CARGO_BIN_EXE_jepsen-tikv")).arg("report").arg(&run).output().expect("runs");
    let page = run.join("report.html");
    let length = std::fs::metadata(&page).unwrap_or_else(|error| panic!("{name}: {error}")).len();
    assert!(length <= BYTES_MAX, "{name}: {length} bytes");
    page
}

/// Clients that write and read in turn, under a pause every ten seconds.
fn busy(operations: u64, stale: bool) -> String {
    let mut text = format!("{HEADER}\n");
    let mut index = 0_u64;
    let mut line = |rest: String| {
        let _ = writeln!(text, "{{\"index\":{index},{rest}}}");
        index += 1;
    };
    let mut fault = 0;
    for number in 0..operations {
        let time = number * 200_000;
        if time >= (fault + 1) * 10_000_000_000 {
            let at = |ms: u64| time + ms * 1_000_000;
            let store = fault % 3 + 1;
            for (kind, f, more, ms) in [
                ("invoke", "pause", r#","name":"pause-leader""#, 0),
                ("info", "pause", "", 1),
                ("invoke", "resume", "", 100),
                ("info", "resume", "", 101),
            ] {
                let does = if f == "pause" { "stopped" } else { "running" };
                line(format!(
                    r#""time":{},"process":"nemesis","type":"{kind}","f":"{f}","key":null,"value":{{"fault":{fault}{more},"stores":[{{"id":{store},"state":"{does}"}}]}}"#,
                    at(ms)
                ));
            }
            fault += 1;
        }
        let time = time + 150_000;
        let client = number % 2;
        let key = client;
        let version = number / 4;
        // Every other operation of a client reads what it wrote; the last one reads what is long
        // gone.
        if number / 2 % 2 == 0 {
            line(format!(
                r#""time":{time},"process":{client},"type":"invoke","f":"put","key":"k{key}","value":"v{version}""#
            ));
            line(format!(
                r#""time":{},"process":{client},"type":"ok","f":"put","key":"k{key}","value":"v{version}""#,
                time + 90_000
            ));
        } else {
            let read = if stale && number + 1 >= operations { version - 1 } else { version };
            line(format!(
                r#""time":{time},"process":{client},"type":"invoke","f":"get","key":"k{key}","value":null"#
            ));
            line(format!(
                r#""time":{},"process":{client},"type":"ok","f":"get","key":"k{key}","value":"v{read}""#,
                time + 90_000
            ));
        }
    }
    text
}

/// What every report must be: at both widths, in both schemes.
fn look(browser: &mut Browser, page: &Path, name: &str) {
    let url = format!("file://{}", page.display());
    let all = [(1280, false), (390, true), (1280, true), (390, false)];
    // The other two differ in nothing but colours: they are for eyes.
    let looks = if screenshots().is_some() { 4 } else { 2 };
    for (width, dark) in all.into_iter().take(looks) {
        browser.open(&url, width, dark);
        browser
            .wait_for("!!window.panels && document.querySelectorAll('#panels canvas').length > 0");
        let scheme = if dark { "dark" } else { "light" };
        look_at(browser, &format!("{name}-{scheme}"), width, &url);
    }
}

/// What every page must be: as wide as its window, without complaints, and in touch with its own
/// server only.
fn look_at(browser: &mut Browser, name: &str, width: u32, own: &str) {
    let wide = browser.evaluate("document.documentElement.scrollWidth").as_u64().expect("a number");
    assert!(wide <= u64::from(width), "{name}: {wide} pixels wide in a window of {width}");
    let complaints = browser.complaints(own);
    assert!(complaints.is_empty(), "{name}: {complaints:?}");
    if let Some(folder) = screenshots() {
        browser.screenshot(width, &folder.join(format!("{name}-{width}.png")));
    }
}

/// Where pictures go, if somebody wants to look at them.
fn screenshots() -> Option<PathBuf> {
    std::env::var_os("JEPSEN_TIKV_SCREENSHOTS").map(PathBuf::from)
}

#[test]
fn reports_of_every_kind_are_drawn_without_an_error() {
    let Some(mut browser) = Browser::start() else { return };
    let runs = tempfile::tempdir().expect("a directory");
    let torn = busy(400, false);
    let torn = &torn[..torn.len() - 40];
    for (name, history) in [
        ("valid", busy(60_000, false)),
        ("invalid", busy(120_000, true)),
        ("vacuous", busy(8, false)),
        ("empty", format!("{HEADER}\n")),
        ("torn", torn.to_owned()),
        ("a-<b>&'name", busy(400, false)),
    ] {
        let page = report(runs.path(), name, &history);
        look(&mut browser, &page, name);
        // For eyes, not a limit: a browser may tell of it later than the page is there.
        let paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null";
        println!("{name}: first paint after {} ms", browser.evaluate(paint));
        axe::assert_accessible(&mut browser, name);
        let text = browser.evaluate("document.querySelector('.verdict').innerText");
        let text = text.as_str().expect("a text");
        let word = match name {
            "invalid" => "INVALID",
            "torn" => "REFUSED",
            "valid" => "VALID",
            _ => "UNKNOWN",
        };
        assert!(text.starts_with(word), "{name}: {text}");
    }
}

#[test]
fn a_failing_run_opens_on_what_went_wrong() {
    let Some(mut browser) = Browser::start() else { return };
    let runs = tempfile::tempdir().expect("a directory");
    let page = report(runs.path(), "stale", &busy(4_000, true));
    browser.open(&format!("file://{}", page.display()), 1280, false);
    let text = browser.evaluate("document.querySelector('main').innerText");
    let text = text.as_str().expect("a text");
    let wrong = text.find("What went wrong").expect("the counterexample");
    assert!(wrong < text.find("What was tried").expect("what was tried"), "{text}");
    assert!(text.contains("had been acknowledged"), "{text}");
    let bars = browser.evaluate("document.querySelectorAll('.picture g[tabindex]').length");
    assert!(bars.as_u64().is_some_and(|bars| bars >= 2), "{bars}");
    let marked = browser.evaluate("[...document.querySelectorAll('.picture text')].filter(t => t.textContent.startsWith('✗')).length");
    assert!(marked.as_u64().is_some_and(|marked| marked >= 2), "{marked}");
    // The longest order that can be explained is on the bars, and what each leaves behind in their
    // hover texts.
    assert!(text.contains("As far as it can be explained"), "{text}");
    let titles = browser.evaluate("[...document.querySelectorAll('.picture g[tabindex] title')].map(it => it.textContent).join('\\n')");
    let titles = titles.as_str().expect("text");
    assert!(titles.contains("the key is v") && titles.contains("has no place after"), "{titles}");
    let numbers = browser.evaluate("document.querySelectorAll('.picture circle').length");
    assert!(numbers.as_u64().is_some_and(|numbers| numbers >= 1), "{numbers}");
}

#[test]
fn keys_that_are_missing_are_named_with_who_wrote_them() {
    let Some(mut browser) = Browser::start() else { return };
    let runs = tempfile::tempdir().expect("a directory");
    let history = format!(
        "{HEADER}\n{}\n",
        [
            r#"{"index":0,"time":1000000,"process":3,"type":"invoke","f":"put","key":"a<b>","value":"v1"}"#,
            r#"{"index":1,"time":2000000,"process":3,"type":"ok","f":"put","key":"a<b>","value":"v1"}"#,
            r#"{"index":2,"time":3000000,"process":4,"type":"invoke","f":"get","key":"a<b>","value":null}"#,
            r#"{"index":3,"time":4000000,"process":4,"type":"ok","f":"get","key":"a<b>","value":"v1"}"#,
            r#"{"index":4,"time":5000000,"process":5,"type":"invoke","f":"scan","key":null,"value":{"start":"a","end":"z","limit":10,"reverse":false,"key_only":true}}"#,
            r#"{"index":5,"time":6000000,"process":5,"type":"ok","f":"scan","key":null,"value":[]}"#,
        ]
        .join("\n")
    );
    let page = report(runs.path(), "missing", &history);
    browser.open(&format!("file://{}", page.display()), 1280, false);
    let text = browser.evaluate("document.querySelector('main').innerText");
    let text = text.as_str().expect("a text");
    assert!(text.contains("keys missing or too many"), "{text}");
    let row = browser.evaluate("[...document.querySelectorAll('td')].find(it => it.textContent === 'missing').parentElement.innerText");
    let row = row.as_str().expect("a row");
    for part in ["a<b>", "client 3: put v1, at 0.002 s", "client 4, at 0.004 s"] {
        assert!(row.contains(part), "{part}: {row}");
    }
}

#[test]
fn panels_are_hovered_over_and_zoomed_together() {
    let Some(mut browser) = Browser::start() else { return };
    let runs = tempfile::tempdir().expect("a directory");
    let page = report(runs.path(), "zoom", &busy(60_000, false));
    browser.open(&format!("file://{}", page.display()), 1280, false);
    browser.wait_for("!!window.panels");
    // The middle of the second panel; the first one may be low.
    browser.evaluate("document.querySelector('#panels').scrollIntoView()");
    let place = browser.evaluate(
        "(() => { const box = document.querySelector('#panels .canvas').getBoundingClientRect(), \
         grid = window.panels.chart.getModel().getComponent('grid', 1).coordinateSystem.getRect(); \
         return [box.left + grid.x + grid.width / 2, box.top + grid.y + grid.height / 2]; })()",
    );
    let (x, y) = (place[0].as_f64().expect("a number"), place[1].as_f64().expect("a number"));
    browser.point_at(x, y);
    browser.wait_for("/^[0-9.]+ s/.test(document.getElementById('cursor').textContent)");
    // The keyboard does the same.
    let before = browser.evaluate("document.getElementById('cursor').textContent");
    browser.evaluate("document.querySelector('#panels .canvas').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}))");
    assert_ne!(browser.evaluate("document.getElementById('cursor').textContent"), before);
    let extents = "JSON.stringify(window.panels.chart.getModel().queryComponents({mainType:'xAxis'}).map(a => a.axis.scale.getExtent().map(Math.round)))";
    let whole = browser.evaluate(extents);
    browser.evaluate("document.querySelector('#panels .canvas').dispatchEvent(new KeyboardEvent('keydown', {key: '+', bubbles: true}))");
    browser.wait_for(&format!("{extents} !== {}", json!(whole)));
    let zoomed = browser.evaluate(extents);
    let zoomed: Vec<[i64; 2]> =
        serde_json::from_str(zoomed.as_str().expect("text")).expect("extents");
    assert!(zoomed.iter().all(|extent| *extent == zoomed[0]), "{zoomed:?}");
    browser.evaluate("[...document.querySelectorAll('#zoom button')].at(-1).click()");
    browser.wait_for(&format!("{extents} === {}", json!(whole)));
}
