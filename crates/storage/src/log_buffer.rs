//! Records on their way from memory to the log.

use crate::payload::Payload;
use crate::record::{EncodedHeader, padding};

/// Payloads from this length on are taken over as they are. Shorter ones are
/// copied, so that many records are one piece, and one piece is one write.
const MOVED_BYTES_MIN: usize = 64 << 10;

/// Records one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// Complete pieces, in front of `last`.
    pieces: Vec<Vec<u8>>,
    last: Vec<u8>,
    bytes: usize,
}

impl Buffer {
    /// An empty buffer that goes on using memory which another one has left.
    pub(crate) fn reusing(mut memory: Vec<u8>) -> Self {
        memory.clear();
        Self { pieces: Vec::new(), last: memory, bytes: 0 }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub(crate) fn push(&mut self, header: &EncodedHeader, payload: Payload) {
        let (before, payload) = (self.bytes, payload.into_bytes());
        let padding = padding(payload.len());
        self.bytes += header.bytes.len() + payload.len() + padding.len();
        self.last.extend_from_slice(&header.bytes);
        if payload.len() < MOVED_BYTES_MIN {
            self.last.extend_from_slice(&payload);
        } else {
            self.pieces.push(std::mem::take(&mut self.last));
            self.pieces.push(payload);
        }
        self.last.extend_from_slice(padding);
        debug_assert_eq!((self.bytes - before) % 8, 0, "records fill multiples of 8");
    }

    pub(crate) fn push_zeros(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.last.resize(self.last.len() + bytes, 0);
    }

    /// What is to be written, in order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let last = std::iter::once(&self.last).filter(|last| !last.is_empty());
        self.pieces.iter().chain(last).map(Vec::as_slice)
    }

    /// The memory of the last piece, for the next buffer.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: EncodedHeader = EncodedHeader { bytes: [1; 48], checksum: 0 };

    fn push(buffer: &mut Buffer, bytes: usize) {
        buffer.push(&HEADER, Payload::new(0, vec![2; bytes]));
    }

    #[test]
    fn small_payloads_are_copied_into_one_piece() {
        let mut buffer = Buffer::default();
        for bytes in [3, 0, 8, MOVED_BYTES_MIN - 1] {
            push(&mut buffer, bytes);
        }
        buffer.push_zeros(5);
        let whole = [
            [1; 48].to_vec(),
            [2; 3].to_vec(),
            [0; 5].to_vec(),
            [1; 48].to_vec(),
            [1; 48].to_vec(),
            [2; 8].to_vec(),
            [1; 48].to_vec(),
            [2; MOVED_BYTES_MIN - 1].to_vec(),
            vec![0],
            [0; 5].to_vec(),
        ]
        .concat();
        assert_eq!(buffer.pieces().collect::<Vec<_>>(), [&whole[..]]);
        assert_eq!(buffer.bytes(), whole.len());
    }

    #[test]
    fn large_payloads_are_moved() {
        let mut buffer = Buffer::default();
        push(&mut buffer, 8);
        let payload = Payload::new(0, vec![2; MOVED_BYTES_MIN + 1]);
        let place = payload.clone().into_bytes();
        let payload_at = {
            let bytes = payload.into_bytes();
            let at = bytes.as_ptr();
            buffer.push(&HEADER, Payload::new(0, bytes));
            at
        };
        push(&mut buffer, 0);
        let pieces: Vec<_> = buffer.pieces().collect();
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[1], place);
        assert_eq!(pieces[1].as_ptr(), payload_at, "the same memory");
        assert_eq!(pieces[2].len(), 7 + 48, "its padding, and the next record");
        assert_eq!(buffer.bytes(), pieces.iter().map(|piece| piece.len()).sum());
    }

    #[test]
    fn memory_is_used_again() {
        let mut buffer = Buffer::default();
        push(&mut buffer, 1000);
        let memory = buffer.into_memory();
        let (at, capacity) = (memory.as_ptr(), memory.capacity());
        let mut buffer = Buffer::reusing(memory);
        assert!(buffer.is_empty() && buffer.pieces().next().is_none());
        push(&mut buffer, 8);
        let memory = buffer.into_memory();
        assert_eq!((memory.as_ptr(), memory.capacity()), (at, capacity));
    }
}
