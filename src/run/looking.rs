//! Whoever looks at a run while it goes: a page, or a screen in the terminal.
//!
//! In: a stage and its recording. Out: what is to be held as long as somebody looks, and the one who is told what the
//! nemesis does.

use super::stage::Stage;
use crate::{
    live::{self, Live, Watched},
    live_tester::LiveTester,
    recording::Recording,
};
use failure::Failure;
use std::sync::{Arc, PoisonError};

/// Who looks; until this is dropped.
#[expect(dead_code, reason = "held, not read")]
pub enum Looking {
    /// A screen in the terminal.
    Screen(Watched),
    /// A page, and perhaps a screen.
    Page(Live),
}

/// Lets them look, if there is anybody.
pub async fn begin(
    stage: &Stage<'_>,
    recording: &Arc<Recording>,
) -> Result<Option<(Looking, Arc<LiveTester>)>, Failure> {
    if stage.beside.live.is_none() && stage.seen.is_none() {
        return Ok(None);
    }
    let tester = Arc::new(LiveTester::new(Arc::clone(recording), stage.progress.clone()));
    let watched = live::watch(live::Source {
        title: stage.plan.config.name.clone(),
        pd_endpoints: stage.target.pd_endpoints().to_vec(),
        security: stage.target.security().cloned(),
        processes: Some(stage.target.clone()),
        tester: Some(tester.clone()),
    })?;
    if let Some(seen) = &stage.seen {
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(watched.past());
    }
    let Some(addr) = stage.beside.live else {
        return Ok(Some((Looking::Screen(watched), tester)));
    };
    let live = live::show(watched, addr).await?;
    stage.progress.address(&format!("live:   {}", live.url()));
    Ok(Some((Looking::Page(live), tester)))
}
