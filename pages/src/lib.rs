//! Self-contained pages: one file each, with style, scripts and data inside.
//!
//! In: a title, the page's body, the scripts it needs, and its data as JSON. Out: HTML without
//! outside requests: its Content-Security-Policy forbids every connection but to its own server.
//! All data of a run is escaped here or by the scripts' `textContent`. Knows nothing of a page's
//! subject.

mod connections;
pub mod serving;

use serde_json::Value;
use std::borrow::Cow;

/// Apache `ECharts`, minified; see `build.rs` for where it comes from.
const ECHARTS: &str = include_str!(concat!(env!("OUT_DIR"), "/echarts.min.js"));
const PANELS: &str = include_str!("panels.js");
const THEME: &str = include_str!("theme.js");
const STYLE: &str = include_str!("style.css");

/// A page.
#[derive(Debug)]
pub struct Page<'a> {
    /// The window's title.
    pub title: &'a str,
    /// HTML, already escaped.
    pub body: &'a str,
    /// True if the page draws panels: the charting library and `panels.js` come before its own
    /// script.
    pub draws: bool,
    /// The page's own script.
    pub script: &'a str,
    /// The JSON that the script finds as `DATA`.
    pub data: Option<&'a str>,
}

impl Page<'_> {
    /// The page's whole HTML.
    pub fn html(&self) -> String {
        let (title, body) = (escaped(self.title), self.body);
        let drawing = if self.draws {
            format!("<script>{ECHARTS}</script>\n<script>{PANELS}</script>\n")
        } else {
            String::new()
        };
        // Inside a script element only "<" can end or confuse it.
        let data = self.data.map_or_else(String::new, |data| {
            format!("<script>const DATA = {};</script>\n", data.replace('<', "\\u003c"))
        });
        let script = self.script;
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             {body}{data}<script>{THEME}</script>\n{drawing}<script>\n{script}</script>\n</body>\n</html>\n"
        )
    }
}

/// Text escaped for HTML: markup, invisible characters, and those that change the reading
/// direction.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in visible(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A text whose invisible characters and marks of direction are shown as escapes; its lines and
/// tabs stay.
fn visible(text: &str) -> Cow<'_, str> {
    let is_hidden = |it: char| !matches!(it, '\n' | '\t') && terminal::is_dangerous(it);
    if !text.contains(is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            shown += &terminal::escaped(character);
        } else {
            shown.push(character);
        }
    }
    shown.into()
}

/// Data for a page's scripts, with invisible characters of its texts shown as in [`escaped`].
/// Scripts insert texts as text, not markup.
pub fn visible_data(mut data: Value) -> Value {
    match &mut data {
        Value::String(text) => {
            if let Cow::Owned(shown) = visible(text) {
                *text = shown;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|it| *it = visible_data(it.take())),
        Value::Object(fields) => fields.values_mut().for_each(|it| *it = visible_data(it.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_shown_and_lines_stay() {
        let hostile = "k\u{1b}[2J\u{9b}\u{202e}\u{2066}\u{200b}\u{feff}\r<b>\n\té漢👍";
        let shown = escaped(hostile);
        let hidden = "k\\u{1b}[2J\\u{9b}\\u{202e}\\u{2066}\\u{200b}\\u{feff}\\r";
        assert_eq!(shown, format!("{hidden}&lt;b&gt;\n\té漢👍"));
        let data =
            serde_json::json!({ "panels": [{ "label": hostile, "from": 1.5 }], "end": null });
        let shown = visible_data(data);
        let wanted = format!("{hidden}<b>\n\té漢👍");
        assert_eq!(
            shown,
            serde_json::json!({ "panels": [{ "label": wanted, "from": 1.5 }], "end": null })
        );
    }

    #[test]
    fn what_a_run_names_cannot_become_markup_or_script() {
        let nasty = "</script><img src=x onerror=alert(1)>";
        let data = serde_json::to_string(nasty).expect("a string");
        let body = format!("<h1>{}</h1>", escaped(nasty));
        let page =
            Page { title: nasty, body: &body, draws: false, script: "", data: Some(&data) }.html();
        assert!(!page.contains("<img"), "{page}");
        assert_eq!(page.matches("</script>").count(), 3, "data, colours, the page's own");
    }

    #[test]
    fn the_charting_library_is_inside_with_its_licence() {
        let page = Page { title: "", body: "", draws: true, script: "", data: None }.html();
        assert!(page.contains("Licensed to the Apache Software Foundation"));
        assert!(page.len() < 1_500_000);
    }
}
