//! Clients that give no room for what they have asked for, over HTTP/2.
//!
//! There an answer is sent as far as the client has said that it has room for it, and
//! the connection itself never stalls: a client that says nothing more takes pings, and
//! leaves its answers in memory. So each part of an answer is counted from when it is
//! offered until it is sent, and a connection with a part that waits too long is cut.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

/// Bytes of a part. A client that takes fewer in the time that it has takes nothing.
const PART_BYTES: usize = 16 << 10;

/// The parts that one connection was offered, and has yet to take.
#[derive(Debug, Default)]
pub(crate) struct Untaken {
    parts: Mutex<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    next: u64,
    /// Since when each waits; numbers and times grow together.
    waiting: BTreeMap<u64, Instant>,
}

impl Untaken {
    /// Ends once a part has waited for so long.
    pub(crate) async fn too_long(&self, time: Duration) {
        loop {
            let oldest = self.lock().waiting.first_key_value().map(|(_, since)| *since);
            let due = oldest.unwrap_or_else(Instant::now) + time;
            if oldest.is_some() && due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }

    /// The same bytes, which wait until the last of them is dropped.
    fn offer(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        let mut parts = self.lock();
        let number = parts.next;
        parts.next += 1;
        parts.waiting.insert(number, Instant::now());
        Bytes::from_owner(Part { bytes, number, untaken: Arc::clone(self) })
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part that waits.
struct Part {
    bytes: Bytes,
    number: u64,
    untaken: Arc<Untaken>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.untaken.lock().waiting.remove(&self.number);
    }
}

/// A body, offered part by part.
pub(crate) struct Offered<B> {
    body: B,
    rest: Bytes,
    untaken: Option<Arc<Untaken>>,
}

impl<B> Offered<B> {
    /// Nothing is counted over HTTP/1.1: there the connection stalls.
    pub(crate) fn new(body: B, untaken: Option<Arc<Untaken>>) -> Self {
        Self { body, rest: Bytes::new(), untaken }
    }
}

impl<B: Body<Data = Bytes, Error = Infallible> + Unpin> Body for Offered<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let Some(untaken) = &this.untaken else {
            return Pin::new(&mut this.body).poll_frame(context);
        };
        if this.rest.is_empty() {
            let Some(Ok(frame)) = ready!(Pin::new(&mut this.body).poll_frame(context)) else {
                return Poll::Ready(None);
            };
            match frame.into_data() {
                Ok(bytes) => this.rest = bytes,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let part = this.rest.split_to(this.rest.len().min(PART_BYTES));
        Poll::Ready(Some(Ok(Frame::data(untaken.offer(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test]
    async fn parts_wait_until_they_are_dropped() {
        let untaken = Arc::<Untaken>::default();
        let bytes = Bytes::from(vec![7; PART_BYTES + 1]);
        let mut body = Offered::new(Full::new(bytes.clone()), Some(Arc::clone(&untaken)));
        let time = Duration::from_millis(20);
        let waits = async || tokio::time::timeout(2 * time, untaken.too_long(time)).await.is_ok();
        assert!(!waits().await, "nothing is offered");
        let mut next = async || body.frame().await.unwrap().unwrap().into_data().unwrap();
        let (first, second) = (next().await, next().await);
        assert_eq!([&first[..], &second[..]].concat(), bytes);
        assert!(waits().await);
        let some = first.slice(1..2);
        drop((first, second));
        assert!(waits().await, "some of it is there");
        drop(some);
        assert!(!waits().await);
        assert!(body.is_end_stream());
    }
}
