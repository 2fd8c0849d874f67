//! The parts whose tests are measured: what `coverage` counts lines of and
//! `mutation` plants faults in.

/// Files that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Mvcc,
    CommitPath,
    Recovery,
}

/// Every group, in the order of the tables.
pub(crate) const GROUPS: [Group; 3] = [Group::Mvcc, Group::CommitPath, Group::Recovery];

impl Group {
    /// What the tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mvcc => "mvcc",
            Self::CommitPath => "commit path",
            Self::Recovery => "recovery",
        }
    }

    /// The group of the file at `path`, relative to the root of the repository.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let (krate, file) = path.strip_prefix("crates/")?.split_once("/src/")?;
        let file = file.strip_suffix(".rs")?;
        match krate {
            "mvcc" => Some(Self::Mvcc),
            "engine" => Some(match file {
                "recovery" | "checkpoint" | "checkpoint_sink" => Self::Recovery,
                _ => Self::CommitPath,
            }),
            "graph" => match file {
                "validation" | "install" | "pruning" | "transaction" | "edge_staging"
                | "writes" | "reads" | "writer" => Some(Self::CommitPath),
                "load" | "redo" | "checkpoint" | "changes" | "leaf_block" | "catalog_block"
                | "codec" | "outside" => Some(Self::Recovery),
                _ => None,
            },
            "storage" => {
                let is_log = file.starts_with("log") || file.starts_with("segment");
                let is_record = matches!(file, "record" | "payload" | "position");
                Some(if is_log || is_record { Self::CommitPath } else { Self::Recovery })
            }
            _ => None,
        }
    }

    /// Globs of the files among which those of the groups are.
    pub(crate) fn globs() -> impl Iterator<Item = String> {
        ["mvcc", "engine", "graph", "storage"]
            .into_iter()
            .map(|krate| format!("crates/{krate}/src/**"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_in_the_groups_that_the_docs_promise() {
        let of = |path| Group::of(path).map(Group::name);
        assert_eq!(of("crates/mvcc/src/record.rs"), Some("mvcc"));
        assert_eq!(of("crates/engine/src/commit.rs"), Some("commit path"));
        assert_eq!(of("crates/engine/src/recovery.rs"), Some("recovery"));
        assert_eq!(of("crates/graph/src/install.rs"), Some("commit path"));
        assert_eq!(of("crates/graph/src/redo.rs"), Some("recovery"));
        assert_eq!(of("crates/graph/src/path.rs"), None);
        assert_eq!(of("crates/storage/src/log_tail.rs"), Some("commit path"));
        assert_eq!(of("crates/storage/src/manifest.rs"), Some("recovery"));
        assert_eq!(of("crates/storage/tests/store.rs"), None);
        assert_eq!(of("crates/selvedge/src/db.rs"), None);
    }
}
