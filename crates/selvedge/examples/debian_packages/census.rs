//! What an index holds, counted a second time without the database and without
//! the parsers beside this file: line by line, as plainly as can be.

use std::collections::{BTreeMap, HashSet};

/// Packages that take this much or more, in KiB, are counted.
pub(crate) const LARGE_KIB: u64 = 100_000;

/// The numbers that the graph must agree with.
#[derive(Default)]
pub(crate) struct Census {
    /// Lines that begin with `Package:`.
    pub(crate) package_lines: u64,
    /// Distinct triples of package, version and architecture.
    pub(crate) packages: u64,
    /// Distinct pairs of such a package and a name in its `Depends` or
    /// `Pre-Depends`.
    pub(crate) depends: u64,
    /// The same for `Recommends`.
    pub(crate) recommends: u64,
    /// Such packages by `Section` and by `Maintainer`.
    pub(crate) sections: BTreeMap<String, u64>,
    pub(crate) maintainers: BTreeMap<String, u64>,
    /// Those whose `Installed-Size` is [`LARGE_KIB`] or more.
    pub(crate) large: u64,
    /// Their `Size`, added up.
    pub(crate) bytes: u64,
}

/// Counts all indexes together.
pub(crate) fn count(texts: &[String]) -> Census {
    let (mut census, mut seen) = (Census::default(), HashSet::new());
    for text in texts {
        let (mut identity, mut depends, mut recommends) = Default::default();
        let (mut others, mut field) = (Vec::new(), "");
        // The empty line at the end closes the last paragraph.
        for line in text.lines().chain([""]) {
            let mut value = line;
            if !line.starts_with([' ', '\t']) {
                (field, value) = line.split_once(':').unwrap_or_default();
            }
            match field {
                "Package" | "Version" | "Architecture" => note(&mut identity, field, value),
                "Depends" | "Pre-Depends" => names(value, &mut depends),
                "Recommends" => names(value, &mut recommends),
                "Section" | "Maintainer" | "Installed-Size" | "Size" => {
                    others.push((field, value.trim()));
                }
                _ => {}
            }
            census.package_lines += u64::from(line.starts_with("Package:"));
            if line.is_empty() {
                if !identity.is_empty() && seen.insert(std::mem::take(&mut identity)) {
                    census.packages += 1;
                    census.depends += depends.len() as u64;
                    census.recommends += recommends.len() as u64;
                    others.iter().for_each(|(field, value)| census.note(field, value));
                }
                identity.clear();
                others.clear();
                depends.clear();
                recommends.clear();
            }
        }
    }
    census
}

impl Census {
    fn note(&mut self, field: &str, value: &str) {
        let number = value.parse().unwrap_or(0);
        match field {
            "Section" => *self.sections.entry(value.to_owned()).or_default() += 1,
            "Maintainer" => *self.maintainers.entry(value.to_owned()).or_default() += 1,
            "Size" => self.bytes += number,
            _ => self.large += u64::from(number >= LARGE_KIB),
        }
    }
}

/// Notes one part of what tells packages apart; the parts may come in any order.
fn note(identity: &mut Vec<String>, field: &str, value: &str) {
    identity.push(format!("{field}={}", value.trim()));
    identity.sort();
}

/// Adds the names in a relation field.
fn names<'t>(value: &'t str, names: &mut HashSet<&'t str>) {
    let alternatives = value.split([',', '|']).map(str::trim_start);
    let bare = alternatives.map(|text| text.split([' ', ':', '(']).next().unwrap_or_default());
    names.extend(bare.filter(|name| !name.is_empty()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_packages_count_once() {
        let text = "Package: a\nVersion: 1\nArchitecture: all\nDepends: b (>= 1), b (<< 2) | c:any,\n \
                    d\nPre-Depends: b, e\nRecommends: b\nSection: x\nSize: 7\nInstalled-Size: 100000\n";
        let census = count(&[text.to_owned(), format!("{text}\n{text}")]);
        assert_eq!((census.package_lines, census.packages), (3, 1));
        assert_eq!((census.depends, census.recommends), (4, 1));
        assert_eq!((census.sections["x"], census.bytes, census.large), (1, 7, 1));
    }
}
