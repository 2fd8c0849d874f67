//! Names and counts as the bytes of a block in a checkpoint, and back.

use selvedge_base::Timestamp;

use crate::codec::{Bytes, Misfit, misfit, put_bytes, put_number, put_optional_bytes, text};
use crate::edge_type::EdgeTypeDef;

/// The leaf of the catalog that has the labels.
pub(crate) const LABELS: u64 = 0;
/// The leaf of the catalog that has the edge types.
pub(crate) const EDGE_TYPES: u64 = 1;

/// A label or edge type in a checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StoredName<'b> {
    pub(crate) number: u32,
    pub(crate) name: &'b str,
    pub(crate) created: Timestamp,
    /// The number of nodes or edges, and since when it is that.
    pub(crate) count: Option<(u64, Timestamp)>,
    /// What an edge type allows; of no meaning for a label.
    pub(crate) def: EdgeTypeDef,
}

impl StoredName<'_> {
    /// When it changed last.
    pub(crate) fn newest(&self) -> Timestamp {
        self.count.map_or(self.created, |(_, since)| since.max(self.created))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_number(out, u64::from(self.number));
        put_bytes(out, self.name.as_bytes());
        put_number(out, self.created.get());
        let (count, since) = self.count.unwrap_or_default();
        put_number(out, since.get());
        put_number(out, count);
        out.push(u8::from(self.def.is_multi()));
        put_optional_bytes(out, self.def.source_label().map(str::as_bytes));
        put_optional_bytes(out, self.def.target_label().map(str::as_bytes));
    }
}

/// Reads the names in a block; numbers are below `limit`.
pub(crate) fn read_names<'b>(
    block: &'b [u8],
    limit: usize,
    mut visit: impl FnMut(StoredName<'b>) -> Result<(), Misfit>,
) -> Result<(), Misfit> {
    let mut bytes = Bytes(block);
    let count = bytes.number_up_to(limit as u64, "the number of names")?;
    for _ in 0..count {
        let number = bytes.number_up_to(limit as u64 - 1, "the number of a name")? as u32;
        let name = bytes.text()?;
        let created = timestamp(&mut bytes)?;
        let (since, count) = (timestamp(&mut bytes)?, bytes.number()?);
        let mut def = if bytes.byte()? == 0 { EdgeTypeDef::unique() } else { EdgeTypeDef::multi() };
        if let Some(label) = bytes.optional_bytes()? {
            def = def.from(text(label)?);
        }
        if let Some(label) = bytes.optional_bytes()? {
            def = def.to(text(label)?);
        }
        if created == Timestamp::ZERO {
            return misfit(format!("{name:?} came to be before the first commit"));
        }
        let count = (since > Timestamp::ZERO).then_some((count, since));
        visit(StoredName { number, name, created, count, def })?;
    }
    Ok(())
}

fn timestamp(bytes: &mut Bytes<'_>) -> Result<Timestamp, Misfit> {
    Ok(Timestamp::new(bytes.number_up_to(Timestamp::MAX.get(), "the timestamp")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_damage_is_an_error() {
        let name = |number, def| StoredName {
            number,
            name: "KNOWS",
            created: Timestamp::new(3),
            count: (number == 1).then_some((8, Timestamp::new(9))),
            def,
        };
        let names = [
            name(1, EdgeTypeDef::unique()),
            name(7, EdgeTypeDef::multi().from("User").to("Group")),
        ];
        let mut block = Vec::new();
        put_number(&mut block, names.len() as u64);
        names.iter().for_each(|name| name.write(&mut block));
        let mut seen = Vec::new();
        read_names(&block, 10, |name| {
            seen.push(name);
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, names);
        assert!(read_names(&block, 7, |_| Ok(())).is_err(), "beyond the limit");
        for len in 0..block.len() {
            assert!(read_names(&block[..len], 10, |_| Ok(())).is_err(), "cut at {len}");
        }
    }
}
