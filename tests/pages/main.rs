//! The pages in a real browser: reports of runs of every kind are drawn without an error and without asking anybody,
//! fit their window, and can be hovered over and zoomed. Skips, with the reason printed, where there is no Chromium.
//!
//! With `JEPSEN_TIKV_SCREENSHOTS=DIR` pictures of every page are kept, to be looked at.

mod browser;

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

/// Makes a run directory of these lines and its report; the page.
fn report(runs: &Path, name: &str, history: &str) -> PathBuf {
    let run = runs.join(name).join("20260101T000000.000Z");
    std::fs::create_dir_all(&run).expect("made");
    std::fs::write(run.join("history.jsonl"), history).expect("written");
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
        // Every other operation of a client reads what it wrote; the last one reads what is long gone.
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

/// What every page must be, at both widths and in both schemes.
fn look(browser: &mut Browser, page: &Path, name: &str) {
    let url = format!("file://{}", page.display());
    for (width, dark) in [(1280, false), (390, true)] {
        browser.open(&url, width, dark);
        browser
            .wait_for("!!window.panels && document.querySelectorAll('#panels canvas').length > 0");
        let wide =
            browser.evaluate("document.documentElement.scrollWidth").as_u64().expect("a number");
        assert!(wide <= u64::from(width), "{name}: {wide} pixels wide in a window of {width}");
        let complaints = browser.complaints();
        assert!(complaints.is_empty(), "{name}: {complaints:?}");
        if let Some(folder) = std::env::var_os("JEPSEN_TIKV_SCREENSHOTS") {
            browser.screenshot(width, &Path::new(&folder).join(format!("{name}-{width}.png")));
        }
    }
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
