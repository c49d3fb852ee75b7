//! The user's own notes of what testers started, paused and changed: what `heal`, `cluster down` and `cluster clean` act on.
//!
//! In: what a tester does. Out: a [`Record`] for each tester in a [`StateDirectory`] that only this user can write.
//! Run directories describe the same for people; they may come from somebody else, and nothing is done because one says
//! so. The folder of a record, `STATE/ID/`, holds `record.json` (`record` describes it), `nemesis.journal` (what is paused), and
//! `lock`, which its tester holds as long as it lives: the kernel releases it, whatever way it goes.

mod directory;
mod own;
mod record;

pub use directory::StateDirectory;
pub use own::OwnRecord;
pub use record::{LeftRecord, Started};

use std::path::Path;

/// The record of this directory, the newest if there are several; `None` = this user's testers know nothing of it.
pub fn of_directory(directory: &Path) -> Option<LeftRecord> {
    let state = StateDirectory::find().ok()??;
    state.records().ok()?.into_iter().rfind(|it| it.record.is_of(directory))
}

/// Takes away what is known of a directory that was removed. What cannot be taken away harms nobody: `heal` does it.
pub fn forget(directory: &Path) {
    let Ok(Some(state)) = StateDirectory::find() else { return };
    for record in state.records().unwrap_or_default() {
        if record.record.is_of(directory)
            && record.record.is_settled()
            && let Ok(Some(lock)) = record.take()
        {
            let _ = record.remove(&lock);
        }
    }
}
