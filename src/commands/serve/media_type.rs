//! How a browser shall take a file of a run.

use std::path::Path;

/// How a browser shall take a file. Nothing of a run but its report is a page: a run may be somebody else's.
pub fn media_type(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|it| it.to_str()) {
        Some("json" | "jsonl" | "log" | "txt" | "toml" | "journal" | "edn" | "html" | "xml") => {
            "text/plain; charset=utf-8"
        }
        _ => "application/octet-stream",
    }
}
