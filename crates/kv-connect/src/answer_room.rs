//! Room for answers that clients have yet to take: slow ones cannot fill the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::refusal::Refusal;

/// Counts the bytes of answers with entries, over all connections, until they are sent.
#[derive(Debug)]
pub(crate) struct AnswerRoom {
    bytes_max: usize,
    held: AtomicUsize,
}

impl AnswerRoom {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, held: AtomicUsize::new(0) })
    }

    /// Room for an answer, before it is made. Alone an answer has room, however large:
    /// else it would be refused for ever.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Result<Place, Refusal> {
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        // Given back when it is dropped, also if it is refused here.
        let place = Place { room: Arc::clone(self), bytes };
        if before > 0 && before.saturating_add(bytes) > self.bytes_max {
            let what = format!("{before} bytes of answers wait to be taken");
            return Err(Refusal::Unavailable(what));
        }
        Ok(place)
    }
}

/// Room that is taken.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<AnswerRoom>,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Place {
    /// The bytes, which keep their place until the last of them is dropped.
    pub(crate) fn hold(self, bytes: Vec<u8>) -> Bytes {
        debug_assert_eq!(bytes.len(), self.bytes, "as much as was asked for");
        Bytes::from_owner(Held { bytes, _place: self })
    }
}

struct Held {
    bytes: Vec<u8>,
    _place: Place,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_there_again_when_the_last_part_is_dropped() {
        let room = AnswerRoom::new(100);
        let answer = room.take(60).unwrap().hold(vec![1; 60]);
        assert!(matches!(room.take(41), Err(Refusal::Unavailable(_))));
        let part = answer.slice(10..20);
        drop(answer);
        assert!(room.take(41).is_err(), "a part is held");
        drop(part);
        drop(room.take(100).unwrap());
        assert!(room.take(101).is_ok(), "alone");
    }
}
