//! Cuts the end of a history whose last line is not whole, so that the rest can be read and judged.
//!
//! In: a file of lines whose disk refused to take more. Out: the same file, ending with its last
//! whole line. Only for the writer of the file, once it will not write again: a torn end that was
//! found is evidence, and stays.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const BLOCK_BYTES: u64 = 64 << 10;

/// Cuts everything after the last newline. A full disk lets a file become shorter.
pub(crate) fn cut(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    let length = file.metadata()?.len();
    let mut end = length;
    let mut block = Vec::new();
    while end > 0 {
        let begin = end.saturating_sub(BLOCK_BYTES);
        file.seek(SeekFrom::Start(begin))?;
        block.clear();
        (&mut file).take(end - begin).read_to_end(&mut block)?;
        if let Some(newline) = block.iter().rposition(|byte| *byte == b'\n') {
            end = begin + newline as u64 + 1;
            break;
        }
        end = begin;
    }
    if end < length {
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_stay_and_a_torn_one_goes_however_long_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("history.jsonl");
        let long = "x".repeat(3 * BLOCK_BYTES as usize);
        for (text, left) in [
            (String::new(), ""),
            ("torn".to_owned(), ""),
            ("whole\n".to_owned(), "whole\n"),
            ("whole\nto".to_owned(), "whole\n"),
            (format!("whole\n{long}"), "whole\n"),
        ] {
            std::fs::write(&path, &text).expect("written");
            cut(&path).expect("cut");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), left);
        }
    }
}
