//! The media type of a run's file.

use std::path::Path;

/// Returns the media type of a file. Only the report is served as a page, because a run may be
/// somebody else's.
pub fn media_type(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|it| it.to_str()) {
        Some("json" | "jsonl" | "log" | "txt" | "toml" | "journal" | "edn" | "html" | "xml") => {
            "text/plain; charset=utf-8"
        }
        _ => "application/octet-stream",
    }
}
