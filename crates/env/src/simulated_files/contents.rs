//! The bytes of one file: as they are read, and as they are on the disk.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use fastrand::Rng;

use super::survival::Survival;

/// What a disk writes at once, or not at all.
const SECTOR_BYTES: usize = 512;

/// A sector as an operation left it.
#[derive(Clone)]
struct Image {
    order: u64,
    bytes: Box<[u8; SECTOR_BYTES]>,
}

/// A length that an operation gave to the file.
#[derive(Clone)]
struct LengthChange {
    order: u64,
    len: usize,
    /// Grown by writing, which may be cut short at any sector.
    by_write: bool,
}

/// The bytes of one file.
///
/// A write that is not synced is kept as images of the sectors it touched. The
/// system writes sectors back whole, whenever it likes: of each sector the disk
/// may therefore hold any of its images, or what it held before, whatever it holds
/// of the others. Lengths are the same in small.
#[derive(Clone, Default)]
pub(super) struct Contents {
    /// What is read. Shared with mappings, which keep it as it was.
    visible: Arc<Vec<u8>>,
    /// What is on the disk for sure. Longer than the file there if it was cut within
    /// a sector, or if a failed sync has brought bytes to the disk, but no length.
    durable: Vec<u8>,
    durable_len: usize,
    /// By sector, oldest image first.
    unsynced: BTreeMap<usize, Vec<Image>>,
    lengths: Vec<LengthChange>,
}

impl Contents {
    pub(super) fn len(&self) -> usize {
        self.visible.len()
    }

    pub(super) fn durable_len(&self) -> usize {
        self.durable_len
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: usize) -> usize {
        let rest = self.visible.get(offset..).unwrap_or_default();
        let len = buffer.len().min(rest.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        len
    }

    pub(super) fn map(&self) -> Arc<Vec<u8>> {
        self.visible.clone()
    }

    pub(super) fn is_mapped(&self) -> bool {
        Arc::strong_count(&self.visible) > 1
    }

    /// Those who have it mapped are gone.
    pub(super) fn unmap(&mut self) {
        if self.is_mapped() {
            self.visible = Arc::new(self.visible.to_vec());
        }
    }

    pub(super) fn write(&mut self, order: u64, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if end > self.len() {
            self.grow(order, end, true);
        }
        Arc::make_mut(&mut self.visible)[offset..end].copy_from_slice(bytes);
        self.note(order, offset, end);
    }

    pub(super) fn set_len(&mut self, order: u64, len: usize) {
        let old = self.len();
        if len > old {
            self.grow(order, len, false);
        } else if len < old {
            Arc::make_mut(&mut self.visible).truncate(len);
            self.lengths.push(LengthChange { order, len, by_write: false });
            // What was cut off must be zero if the file grows again: these are
            // images of zeros. Sectors that hold nothing yet need none.
            self.note(order, len, old.min(self.reach()));
        }
    }

    fn grow(&mut self, order: u64, len: usize, by_write: bool) {
        let old = self.len();
        Arc::make_mut(&mut self.visible).resize(len, 0);
        self.lengths.push(LengthChange { order, len, by_write });
        // The disk may hold more than the file, if the file was cut.
        self.note(order, old, len.min(self.durable.len()));
    }

    /// Where the disk holds nothing any more but zeros, whatever happens.
    fn reach(&self) -> usize {
        let images = self.unsynced.last_key_value().map_or(0, |(sector, _)| sector + 1);
        self.durable.len().max(images * SECTOR_BYTES)
    }

    /// Takes images of the sectors from `start` to `end`.
    fn note(&mut self, order: u64, start: usize, end: usize) {
        if start >= end {
            return;
        }
        for sector in start / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let mut bytes = Box::new([0; SECTOR_BYTES]);
            let there = sector_of(&self.visible, sector);
            bytes[..there.len()].copy_from_slice(there);
            self.unsynced.entry(sector).or_default().push(Image { order, bytes });
        }
    }

    /// The numbers of the operations that are not synced, in no order.
    pub(super) fn unsynced_orders(&self) -> impl Iterator<Item = u64> {
        let images = self.unsynced.values().flatten().map(|image| image.order);
        images.chain(self.lengths.iter().map(|change| change.order))
    }

    pub(super) fn sync(&mut self) {
        let len = self.visible.len();
        self.durable.truncate(len.next_multiple_of(SECTOR_BYTES));
        self.durable.resize(self.durable.len().max(len), 0);
        self.durable_len = len;
        for sector in std::mem::take(&mut self.unsynced).into_keys() {
            let bytes = sector_of(&self.visible, sector);
            let there = sector_of_mut(&mut self.durable, sector);
            let (first, rest) = there.split_at_mut(bytes.len());
            first.copy_from_slice(bytes);
            rest.fill(0);
        }
        self.lengths.clear();
    }

    /// A sync that fails: what did not reach the disk is forgotten by the system,
    /// which has reported it, and never written unless it is written again. It
    /// stays in sight. The length is metadata, and still to be written.
    pub(super) fn fail_sync(&mut self, rng: &mut Rng) {
        let mut orders: Vec<_> = self.unsynced_orders().collect();
        orders.sort_unstable();
        self.settle(Survival::draw(rng, &orders), rng);
    }

    /// Only what is on the disk remains.
    pub(super) fn crash(&mut self, survival: Survival, rng: &mut Rng) {
        self.durable_len = self.surviving_len(survival, rng);
        self.lengths.clear();
        self.settle(survival, rng);
        self.durable.resize(self.durable_len, 0);
        self.visible = Arc::new(self.durable.clone());
    }

    /// Decides what of the unsynced bytes is on the disk, and forgets the rest.
    fn settle(&mut self, survival: Survival, rng: &mut Rng) {
        for (sector, images) in std::mem::take(&mut self.unsynced) {
            let survivor = images.iter().rev().find(|image| survival.spares(rng, image.order));
            if let Some(image) = survivor {
                let start = sector * SECTOR_BYTES;
                let end = start + SECTOR_BYTES;
                if self.durable.len() < end {
                    self.durable.resize(end, 0);
                }
                self.durable[start..end].copy_from_slice(&*image.bytes);
            }
        }
    }

    /// A length that the file had, or one on the way there.
    fn surviving_len(&self, survival: Survival, rng: &mut Rng) -> usize {
        let found = self.lengths.iter().rposition(|change| survival.spares(rng, change.order));
        let Some(found) = found else { return self.durable_len };
        let LengthChange { len, by_write, .. } = self.lengths[found];
        let before = found.checked_sub(1).map_or(self.durable_len, |at| self.lengths[at].len);
        if by_write && before < len && rng.bool() {
            let sectors = before / SECTOR_BYTES + 1..=len.div_ceil(SECTOR_BYTES);
            return len.min(rng.usize(sectors) * SECTOR_BYTES);
        }
        len
    }

    /// Flips a bit on the disk; gives whether the disk has it. It is seen at once,
    /// unless the system has something newer for the sector in memory.
    pub(super) fn flip(&mut self, at: usize, bit: u8) -> bool {
        if at >= self.durable_len {
            return false;
        }
        let byte = &mut self.durable[at];
        let is_clean = !self.unsynced.contains_key(&(at / SECTOR_BYTES));
        let is_seen = is_clean && self.visible.get(at) == Some(byte);
        *byte ^= 1 << bit;
        if is_seen {
            Arc::make_mut(&mut self.visible)[at] = *byte;
        }
        true
    }

    /// Forgets what is in memory and need not be written: what a failed sync lost
    /// goes from sight.
    pub(super) fn drop_cache(&mut self) {
        let mut bytes = self.durable.clone();
        bytes.resize(self.visible.len(), 0);
        for sector in self.unsynced.keys() {
            sector_of_mut(&mut bytes, *sector).copy_from_slice(sector_of(&self.visible, *sector));
        }
        if bytes != *self.visible {
            self.visible = Arc::new(bytes);
        }
    }
}

/// The bytes of a sector, fewer at the end.
fn sector_of(bytes: &[u8], sector: usize) -> &[u8] {
    &bytes[range_of(bytes.len(), sector)]
}

fn sector_of_mut(bytes: &mut [u8], sector: usize) -> &mut [u8] {
    let range = range_of(bytes.len(), sector);
    &mut bytes[range]
}

fn range_of(len: usize, sector: usize) -> Range<usize> {
    let start = (sector * SECTOR_BYTES).min(len);
    start..len.min(start + SECTOR_BYTES)
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("len", &self.visible.len())
            .field("durable_len", &self.durable_len)
            .field("unsynced_sectors", &self.unsynced.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The obvious slow thing: every state the file had since it was synced.
    struct Model {
        states: Vec<Vec<u8>>,
    }

    impl Model {
        fn now(&self) -> &Vec<u8> {
            self.states.last().expect("there is always one")
        }

        fn change(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
            let mut state = self.now().clone();
            change(&mut state);
            self.states.push(state);
        }

        fn sync(&mut self) {
            self.states.drain(..self.states.len() - 1);
        }

        /// Whether a crash may leave `bytes`: each sector, padded with zeros, is as in
        /// one of the states, as far as the file goes; so is the length, or it lies
        /// at a sector between two that followed each other.
        fn permits(&self, bytes: &[u8]) -> bool {
            let padded = |state: &[u8], sector: usize| {
                let mut image = sector_of(state, sector).to_vec();
                image.resize(SECTOR_BYTES, 0);
                image
            };
            let len = bytes.len();
            let on_the_way = |pair: &[Vec<u8>]| {
                pair[0].len() < len && len < pair[1].len() && len.is_multiple_of(SECTOR_BYTES)
            };
            let has_len = self.states.iter().any(|state| state.len() == len)
                || self.states.windows(2).any(on_the_way);
            let has_sector = |sector: usize| {
                let there = sector_of(bytes, sector);
                self.states.iter().any(|state| padded(state, sector).starts_with(there))
            };
            has_len && (0..len.div_ceil(SECTOR_BYTES)).all(has_sector)
        }
    }

    fn change_at_random(rng: &mut Rng, order: u64, contents: &mut Contents, model: &mut Model) {
        if rng.u8(..4) == 0 {
            let len = rng.usize(..4000);
            contents.set_len(order, len);
            model.change(|state| state.resize(len, 0));
        } else {
            let (offset, byte) = (rng.usize(..3000), rng.u8(1..));
            let bytes = vec![byte; rng.usize(..1500)];
            contents.write(order, &bytes, offset);
            model.change(|state| {
                let end = offset + bytes.len();
                if !bytes.is_empty() {
                    state.resize(state.len().max(end), 0);
                    state[offset..end].copy_from_slice(&bytes);
                }
            });
        }
    }

    fn visible(contents: &Contents) -> Vec<u8> {
        let mut bytes = vec![0; contents.len()];
        assert_eq!(contents.read(&mut bytes, 0), bytes.len());
        bytes
    }

    fn crash(contents: &mut Contents, rng: &mut Rng) {
        let mut orders: Vec<_> = contents.unsynced_orders().collect();
        orders.sort_unstable();
        let survival = Survival::draw(rng, &orders);
        contents.crash(survival, rng);
    }

    #[test]
    fn random_changes_syncs_and_crashes_agree_with_the_model() {
        for seed in 0..400 {
            let mut rng = Rng::with_seed(seed);
            let mut contents = Contents::default();
            let mut model = Model { states: vec![Vec::new()] };
            for order in 0..60 {
                match rng.u8(..10) {
                    0 => {
                        contents.sync();
                        model.sync();
                        let (first, rest) = contents.durable.split_at(contents.len());
                        assert_eq!(first, *contents.visible, "seed {seed}");
                        assert!(rest.iter().all(|byte| *byte == 0), "seed {seed}");
                    }
                    1 => {
                        crash(&mut contents, &mut rng);
                        let bytes = visible(&contents);
                        assert!(model.permits(&bytes), "seed {seed}, operation {order}");
                        model = Model { states: vec![bytes] };
                    }
                    _ => change_at_random(&mut rng, order, &mut contents, &mut model),
                }
                assert_eq!(visible(&contents), *model.now(), "seed {seed}, operation {order}");
            }
        }
    }

    #[test]
    fn failed_syncs_lose_what_they_had_to_write_and_nothing_else() {
        for seed in 0..400 {
            let mut rng = Rng::with_seed(seed);
            let mut contents = Contents::default();
            // What a crash may leave grows with every failure; only what is seen is
            // known for sure.
            let mut model = Model { states: vec![Vec::new()] };
            for order in 0..60 {
                match rng.u8(..10) {
                    0 => contents.sync(),
                    1 => contents.fail_sync(&mut rng),
                    2 => {
                        let mut twin = contents.clone();
                        crash(&mut twin, &mut rng);
                        assert!(model.permits(&visible(&twin)), "seed {seed}, operation {order}");
                    }
                    _ => change_at_random(&mut rng, order, &mut contents, &mut model),
                }
                assert_eq!(visible(&contents), *model.now(), "seed {seed}, operation {order}");
            }
            // Written again, everything is durable.
            let bytes = visible(&contents);
            contents.write(60, &bytes, 0);
            contents.sync();
            crash(&mut contents, &mut rng);
            assert_eq!(visible(&contents), bytes, "seed {seed}");
        }
    }
}
