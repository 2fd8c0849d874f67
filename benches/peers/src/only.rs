//! Which part of everything is measured.

/// Names that are wanted: those which contain this, or all.
#[derive(Default)]
pub struct Only {
    pub workload: Option<String>,
    pub engine: Option<String>,
}

impl Only {
    /// Whether a workload of this name is measured.
    pub fn workload(&self, name: &str) -> bool {
        contains(name, self.workload.as_ref())
    }

    /// Whether an engine of this name is measured.
    pub fn engine(&self, name: &str) -> bool {
        contains(name, self.engine.as_ref())
    }
}

fn contains(name: &str, part: Option<&String>) -> bool {
    part.is_none_or(|part| name.contains(part))
}
