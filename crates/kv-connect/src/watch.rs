//! `watch`: the state of keys, and again whenever one has changed.
//!
//! ```text
//! alive | every key | alive | every key | alive | ...     until either side ends it
//! ```
//!
//! Nothing is made ahead of what the client takes: who is slow gets the newest state,
//! and nobody's memory fills with the ones before.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use selvedge::KvWatch;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::answer::{ALIVE_FRAME, watch_frame};
use crate::committer::{Committer, Syncing};
use crate::database::Database;
use crate::limits::{READ_KEY_BYTES_MAX, WATCHED_KEYS_MAX};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::room::Room;
use crate::wire;

/// How long nothing may be heard of the server.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// The keys of a watch whose limits are kept.
pub(crate) fn decode(body: Bytes) -> Result<Vec<Bytes>, Refusal> {
    let bound = |watch: &mut wire::Watch| watch.keys.truncate(WATCHED_KEYS_MAX + 1);
    let watch = wire::decode(body, bound)?;
    if watch.keys.len() > WATCHED_KEYS_MAX {
        return Err(Refusal::TooManyWatchedKeys);
    }
    let key = |key: wire::WatchKey| match key.key.len() {
        0 => Err(Refusal::KeyEmpty),
        bytes if bytes > READ_KEY_BYTES_MAX => Err(Refusal::ReadKeyTooLarge),
        _ => Ok(key.key),
    };
    watch.keys.into_iter().map(key).collect()
}

/// What a watch shares with the server.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) committer: Arc<Committer>,
    /// Answers wait for the disk.
    pub(crate) durable: bool,
    pub(crate) room: Arc<Room>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) metrics: Arc<Metrics>,
}

/// The frames of a watch.
pub(crate) struct WatchStream {
    watch: KvWatch,
    /// Parts of the request, which has its room for as long as the watch goes on.
    _keys: Vec<Bytes>,
    /// The first frame, which says nothing, is told.
    begun: bool,
    /// A frame that waits for the disk.
    waiting: Option<(Bytes, Syncing)>,
    alive: Interval,
    surroundings: Surroundings,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The disk fails: what comes then is another database's to tell.
    failing: Pin<Box<OwnedNotified>>,
}

impl WatchStream {
    pub(crate) fn new(
        database: &Database,
        keys: Vec<Bytes>,
        surroundings: Surroundings,
    ) -> Result<Self, Refusal> {
        let failing = Box::pin(surroundings.committer.failing()?);
        let watch = database.kv.watch(&keys)?;
        let mut alive = interval_at(Instant::now() + ALIVE_INTERVAL, ALIVE_INTERVAL);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shutdown = Box::pin(surroundings.shutdown.clone().cancelled_owned());
        surroundings.metrics.watches.increment(1.0);
        let (begun, waiting) = (false, None);
        Ok(Self { watch, _keys: keys, begun, waiting, alive, surroundings, shutdown, failing })
    }

    /// The next frame; `None` at the end.
    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let is_over = self.shutdown.as_mut().poll(context).is_ready()
            || self.failing.as_mut().poll(context).is_ready();
        if is_over {
            return Poll::Ready(None);
        }
        if !std::mem::replace(&mut self.begun, true) || self.alive.poll_tick(context).is_ready() {
            return Poll::Ready(Some(ALIVE_FRAME));
        }
        if self.waiting.is_none() {
            let watched = ready!(self.watch.poll_next(context.waker())).map_err(Refusal::from);
            match watched.and_then(|watched| watch_frame(&watched, &self.surroundings.room)) {
                Ok(frame) => {
                    match self.watch.pending_sync().filter(|_| self.surroundings.durable) {
                        None => return Poll::Ready(Some(frame)),
                        Some(pending) => {
                            self.waiting = Some((frame, self.surroundings.committer.sync(pending)));
                        }
                    }
                }
                // The client comes back, and learns why.
                Err(error) => {
                    tracing::debug!(%error, "a watch ends");
                    return Poll::Ready(None);
                }
            }
        }
        let (_, syncing) = self.waiting.as_mut().expect("set above, if it was not");
        let synced = ready!(Pin::new(syncing).poll(context));
        let frame = self.waiting.take().map(|(frame, _)| frame);
        // What may be lost is not told.
        Poll::Ready(frame.filter(|_| matches!(synced, Ok(Ok(())))))
    }
}

impl Drop for WatchStream {
    fn drop(&mut self) {
        self.surroundings.metrics.watches.decrement(1.0);
    }
}
