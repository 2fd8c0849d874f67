//! Room for what clients send and have yet to take: slow ones cannot fill the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::refusal::Refusal;

/// Counts bytes of one kind, over all connections, for as long as they are held.
#[derive(Debug)]
pub(crate) struct Room {
    /// What the bytes are of, and wait for.
    what: &'static str,
    bytes_max: usize,
    held: AtomicUsize,
}

impl Room {
    /// Room for answers with entries, until they are sent.
    pub(crate) fn of_answers(bytes_max: usize) -> Arc<Self> {
        Self::new("answers wait to be taken", bytes_max)
    }

    /// Room for the bodies of requests, until they are answered; watches never are.
    pub(crate) fn of_requests(bytes_max: usize) -> Arc<Self> {
        Self::new("requests are under way", bytes_max)
    }

    fn new(what: &'static str, bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { what, bytes_max, held: AtomicUsize::new(0) })
    }

    /// A place without room.
    pub(crate) fn place(self: &Arc<Self>) -> Place {
        Place { room: Arc::clone(self), bytes: 0 }
    }

    /// Room for something, before it is made.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Result<Place, Refusal> {
        let mut place = self.place();
        place.grow(bytes)?;
        Ok(place)
    }
}

/// Room that is taken.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Place {
    /// Takes so much more room. Alone everything has room, however large: else it would
    /// be refused for ever.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let before = self.room.held.fetch_add(bytes, Ordering::Relaxed);
        let is_alone = before == self.bytes;
        // Given back when it is dropped, also if it is refused here.
        self.bytes += bytes;
        if !is_alone && before.saturating_add(bytes) > self.room.bytes_max {
            return Err(Refusal::Unavailable(format!("{before} bytes of {}", self.room.what)));
        }
        Ok(())
    }

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
        let room = Room::of_answers(100);
        let answer = room.take(60).unwrap().hold(vec![1; 60]);
        assert!(matches!(room.take(41), Err(Refusal::Unavailable(_))));
        let part = answer.slice(10..20);
        drop(answer);
        assert!(room.take(41).is_err(), "a part is held");
        drop(part);
        drop(room.take(100).unwrap());
        assert!(room.take(101).is_ok(), "alone");
    }

    #[test]
    fn a_place_grows_as_far_as_others_leave_room() {
        let room = Room::of_requests(100);
        let (mut one, mut other) = (room.take(30).unwrap(), room.place());
        assert!(other.grow(70).is_ok());
        assert!(one.grow(1).is_err() && other.grow(1).is_err());
        drop(one);
        assert!(other.grow(1000).is_ok(), "alone");
        drop(other);
        assert!(room.take(30).is_ok() && room.take(100).is_ok(), "nothing is held");
    }
}
