//! Splits regions at given keys, as an administrator would through PD.
//!
//! In: PD and keys. Out: regions that begin at those keys. Bounded in time; does nothing for
//! regions that are split already.

use client::pd_http::PdHttp;
use failure::Failure;
use histories::Key;
use std::time::Duration;
use tokio::time::Instant;

/// The time between two looks at PD.
const POLL: Duration = Duration::from_millis(50);
/// The time after which PD is asked again for a split that it has not done yet.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Splits regions at these keys, and waits until PD knows the new ones.
pub async fn split(pd: &PdHttp, keys: &[Key], patience: Duration) -> Result<(), Failure> {
    let deadline = Instant::now() + patience;
    let mut asked = None;
    loop {
        let regions = pd.regions().await.map_err(Failure::target_or_disk)?;
        let is_bound = |key: &Key| regions.iter().any(|region| region.start_key == *key);
        let open: Vec<&Key> = keys.iter().filter(|key| !is_bound(key)).collect();
        if open.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Failure::target_or_disk(format!(
                "{} of {} splits were not made within {} s",
                open.len(),
                keys.len(),
                patience.as_secs()
            )));
        }
        if asked.is_none_or(|asked| Instant::now() >= asked + ASK_AGAIN) {
            asked = Some(Instant::now());
            for region in &regions {
                let inside: Vec<Key> = open
                    .iter()
                    .filter(|key| {
                        region.start_key < ***key
                            && region.end_key.as_ref().is_none_or(|end| **key < end)
                    })
                    .map(|key| (*key).clone())
                    .collect();
                // PD refuses while it changes the region in another way; it is asked again.
                if !inside.is_empty()
                    && let Err(error) = pd.split_region(region.id, &inside).await
                {
                    tracing::debug!(region = region.id, %error, "not split yet");
                }
            }
        }
        tokio::time::sleep(POLL).await;
    }
}
