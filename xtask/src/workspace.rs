//! The crates of the workspace and what their manifests ask for.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// When a dependency is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// A dependency on another crate of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The line of the manifest that asks for it.
    pub(crate) line: usize,
}

/// A crate of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Relative to the root of the repository.
    pub(crate) manifest: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// The folder that holds the workspace.
pub(crate) fn root() -> Result<PathBuf> {
    let metadata = MetadataCommand::new().no_deps().exec().context("cannot read the workspace")?;
    Ok(metadata.workspace_root.into_std_path_buf())
}

/// The crates of the workspace, sorted by name.
pub(crate) fn members(root: &Path) -> Result<Vec<Member>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cannot read the workspace")?;
    let packages = metadata.workspace_packages();
    let mut members = Vec::new();
    for package in &packages {
        let text = std::fs::read_to_string(&package.manifest_path)?;
        let is_member = |name: &str| packages.iter().any(|other| other.name.as_str() == name);
        let inside = package.dependencies.iter().filter(|wanted| is_member(&wanted.name));
        let dependencies = inside.map(|wanted| Dependency {
            name: wanted.name.clone(),
            kind: kind_of(wanted.kind),
            line: line_of(&text, wanted.rename.as_ref().unwrap_or(&wanted.name)),
        });
        let manifest = package.manifest_path.strip_prefix(&metadata.workspace_root)?;
        members.push(Member {
            name: package.name.to_string(),
            manifest: manifest.to_string(),
            dependencies: dependencies.collect(),
        });
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}

fn kind_of(kind: DependencyKind) -> Kind {
    match kind {
        DependencyKind::Development => Kind::Dev,
        DependencyKind::Build => Kind::Build,
        // A kind that is not known yet gets the strictest rules.
        _ => Kind::Normal,
    }
}

/// The line that asks for `name`: `name = ..`, `name.workspace = ..` or a table
/// `[dependencies.name]`. The first line if there is none.
fn line_of(manifest: &str, name: &str) -> usize {
    let asks = |line: &str| {
        let line = line.trim();
        let key = line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '=', '.']));
        key || (line.starts_with('[') && line.ends_with(&format!(".{name}]")))
    };
    // Skip the package's own table: `name = ".."` there is another thing.
    manifest
        .lines()
        .enumerate()
        .skip_while(|(_, line)| !line.contains("dependencies"))
        .find(|(_, line)| asks(line))
        .map_or(1, |(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_that_asks_for_a_crate() {
        let manifest = "[package]\nname = \"x\"\n\n[dependencies]\nselvedge-base = \"1\"\n\
                        selvedge.workspace = true\n[dev-dependencies.loom]\n";
        assert_eq!(line_of(manifest, "selvedge"), 6);
        assert_eq!(line_of(manifest, "selvedge-base"), 5);
        assert_eq!(line_of(manifest, "loom"), 7);
        assert_eq!(line_of(manifest, "absent"), 1);
    }
}
