//! The core's surroundings: the clock, the disk, and the streams that carry its messages.
//!
//! In: closures over the core. Out: their answers, after the state they depend on is on disk.
//! Messages that do not fit a store's queue are dropped: the core sends every step again.

use super::{
    core::{Core, Now, Refusal, saved::SavedRegions},
    disk::Disk,
};
use crate::profile::Timing;
use proto::pdpb;
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::mpsc;
use tonic::Status;

/// The largest number of steps that may wait for one store.
pub const STEPS_QUEUED_MAX: usize = 256;

/// The sender of steps to one store.
pub type StepSender = mpsc::Sender<Result<pdpb::RegionHeartbeatResponse, Status>>;

/// The core and its surroundings.
#[derive(Debug)]
pub struct Shell {
    inner: Mutex<Inner>,
    disk: Disk,
    clock: Clock,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    streams: HashMap<u64, StepSender>,
}

/// Wall-clock time at the start, monotonic from there on.
#[derive(Debug, Clone, Copy)]
struct Clock {
    began: Instant,
    began_at: Now,
}

impl Clock {
    fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self { began: Instant::now(), began_at: since_epoch.unwrap_or(Duration::ZERO) }
    }

    fn now(&self) -> Now {
        self.began_at + self.began.elapsed()
    }
}

impl Shell {
    /// Continues from the saved state, or creates a new cluster.
    pub fn open(disk: Disk, timing: Timing, max_replicas: u32) -> io::Result<Arc<Self>> {
        let clock = Clock::start();
        let core = match disk.load()? {
            Some(saved) => {
                Core::restore(clock.now(), timing, max_replicas, saved, disk.load_regions())
                    .map_err(|refusal| io::Error::other(format!("saved state: {refusal}")))?
            }
            None => Core::create(clock.now(), rand::random(), timing, max_replicas),
        };
        let inner = Mutex::new(Inner { core, streams: HashMap::new() });
        let shell = Self { inner, disk, clock };
        shell.act(|_, _| Ok(())).map_err(|refusal| io::Error::other(refusal.to_string()))?;
        Ok(Arc::new(shell))
    }

    /// Gives the core an input. Returns the answer after the state it depends on is on disk, or an
    /// error.
    pub fn act<T>(
        &self,
        input: impl FnOnce(&mut Core, Now) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut inner = self.lock();
        let answer = input(&mut inner.core, self.clock.now());
        if let Some(unsaved) = inner.core.unsaved() {
            if let Err(error) = self.disk.save(&unsaved) {
                tracing::error!(%error, "cannot save");
                inner.core.take_messages();
                return Err(Refusal::Disk(error.to_string()));
            }
            inner.core.saved();
        }
        for message in inner.core.take_messages() {
            if let Some(stream) = inner.streams.get(&message.store) {
                let _ = stream.try_send(Ok(pdpb::RegionHeartbeatResponse {
                    header: Some(pdpb::ResponseHeader {
                        cluster_id: inner.core.cluster_id(),
                        error: None,
                    }),
                    ..message.step
                }));
            }
        }
        answer
    }

    /// Queries the core.
    pub fn view<T>(&self, question: impl FnOnce(&Core, Now) -> T) -> T {
        question(&self.lock().core, self.clock.now())
    }

    /// Sends the steps for a store to this stream from now on.
    pub fn bind(&self, store: u64, stream: &StepSender) {
        let mut inner = self.lock();
        if inner.streams.get(&store).is_none_or(|bound| !bound.same_channel(stream)) {
            inner.streams.insert(store, stream.clone());
        }
    }

    /// Removes a stream that ended.
    pub fn unbind(&self, stream: &StepSender) {
        self.lock().streams.retain(|_, bound| !bound.same_channel(stream));
    }

    /// Writes the region cache.
    pub fn save_regions(&self) -> io::Result<()> {
        let regions = self.view(|core, _| SavedRegions::from(core.regions()));
        self.disk.save_regions(&regions)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in the core is our bug; its state is still the best there is.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
