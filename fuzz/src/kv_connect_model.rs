//! What a database of the KV Connect protocol holds, as the protocol tells it: a map,
//! changed by messages as the clients' schema reads them.

use std::collections::{BTreeMap, BTreeSet};

use denokv_proto::datapath as pb;

/// What is stored under a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) data: Vec<u8>,
    pub(crate) encoding: i32,
    pub(crate) stamp: Vec<u8>,
}

/// Everything that can be read.
pub(crate) type Entries = BTreeMap<Vec<u8>, Entry>;

/// The map, and the keys of which it does not say what they have.
#[derive(Default, Debug)]
pub(crate) struct Model {
    pub(crate) entries: Entries,
    unsure: BTreeSet<Vec<u8>>,
}

impl Model {
    /// Which checks do not hold.
    pub(crate) fn failed_checks(&self, write: &pb::AtomicWrite) -> Vec<u32> {
        let holds = |check: &pb::Check| {
            let found = self.entries.get(&check.key).map(|entry| &entry.stamp[..]);
            found.unwrap_or_default() == check.versionstamp
        };
        let numbered = (0..).zip(&write.checks);
        numbered.filter(|(_, check)| !holds(check)).map(|(number, _)| number).collect()
    }

    /// Applies a write that was told to be applied.
    pub(crate) fn apply(&mut self, write: &pb::AtomicWrite, stamp: &[u8], now_ms: i64) {
        for mutation in &write.mutations {
            let mut key = mutation.key.clone();
            let value = mutation.value.clone().unwrap_or_default();
            let old = self.entries.get(&key).map(|entry| number(&entry.data));
            let operand = number(&value.data);
            // Other numbers than those of 8 bytes are left to the database; so is what is
            // over already, of which later mutations may see something or nothing.
            let is_v8_sum = mutation.mutation_type == 3 && value.encoding != 2;
            if is_v8_sum || (1..=now_ms).contains(&mutation.expire_at_ms) {
                self.unsure.insert(key.clone());
            }
            let computed = match mutation.mutation_type {
                2 => {
                    self.entries.remove(&key);
                    continue;
                }
                3 => Some(old.unwrap_or(0).wrapping_add(operand)),
                4 => Some(old.unwrap_or(0).max(operand)),
                5 => Some(old.unwrap_or(u64::MAX).min(operand)),
                _ => None,
            };
            if mutation.mutation_type == 9 {
                let digits: String = stamp.iter().map(|byte| format!("{byte:02x}")).collect();
                key.push(2);
                key.extend_from_slice(digits.as_bytes());
                key.push(0);
                if (1..=now_ms).contains(&mutation.expire_at_ms) {
                    continue;
                }
            }
            let data = computed.map_or(value.data, |number| number.to_le_bytes().to_vec());
            let entry = Entry { data, encoding: value.encoding, stamp: stamp.to_vec() };
            self.entries.insert(key, entry);
        }
    }

    /// Takes over from the database what the model does not know.
    pub(crate) fn adopt(&mut self, found: &Entries) {
        for key in std::mem::take(&mut self.unsure) {
            match found.get(&key) {
                Some(entry) => drop(self.entries.insert(key, entry.clone())),
                None => drop(self.entries.remove(&key)),
            }
        }
    }

    /// The entries of a range, as an answer has them.
    pub(crate) fn range(&self, range: &pb::ReadRange) -> Vec<pb::KvEntry> {
        let inside =
            self.entries.iter().filter(|(key, _)| (&range.start..&range.end).contains(key));
        let limit = usize::try_from(range.limit).unwrap_or(0);
        let shown = |(key, entry): (&Vec<u8>, &Entry)| shown(key, entry);
        match range.reverse {
            false => inside.take(limit).map(shown).collect(),
            true => inside.rev().take(limit).map(shown).collect(),
        }
    }

    /// The entry of a key, as a watch has it.
    pub(crate) fn watched(&self, key: &[u8]) -> Option<pb::KvEntry> {
        self.entries.get_key_value(key).map(|(key, entry)| shown(key, entry))
    }
}

fn number(data: &[u8]) -> u64 {
    data.try_into().map_or(0, u64::from_le_bytes)
}

fn shown(key: &[u8], entry: &Entry) -> pb::KvEntry {
    pb::KvEntry {
        key: key.to_vec(),
        value: entry.data.clone(),
        encoding: entry.encoding,
        versionstamp: entry.stamp.clone(),
    }
}
