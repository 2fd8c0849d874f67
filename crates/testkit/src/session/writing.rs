//! The verbs that write, in a transaction.
//!
//! | verb | does |
//! |---|---|
//! | `insert NODE [FIELD=VALUE]..`, `upsert ..` | a new node; or its new document |
//! | `set NODE FIELD=VALUE..`, `unset NODE FIELD`, `replace NODE FIELD=VALUE..` | its document |
//! | `delete NODE` | ends it and its edges |
//! | `define TYPE unique\|multi [from=LABEL] [to=LABEL]` | an edge type |
//! | `link A TYPE B [FIELD=VALUE]..`, `unlink A TYPE B` | an edge; all between two nodes |
//! | `update_edge A TYPE B [#N] FIELD=VALUE..`, `unlink_edge A TYPE B [#N]` | one edge |
//! | `for_update NODE`, `check NODE @N\|absent` | demands on the commit |
//! | `savepoint S`, `rollback_to S`, `release S` | positions to roll back to |

use std::collections::BTreeMap;

use selvedge::{EdgeTypeDef, Savepoint, Timestamp, Transaction};

use crate::command::{Command, ScriptError};
use crate::names::{NO_KEY, Names, label_and_key};

/// Runs a writing step; `None` if the verb is not one.
pub(super) fn run(
    ctx: &mut Transaction<'_>,
    names: &mut Names,
    command: &Command,
) -> Result<Option<String>, ScriptError> {
    let name = || command.word(0, "a node");
    let output = match &*command.verb {
        "insert" => {
            let (label, key) = label_and_key(name()?);
            let key = Some(key).filter(|key| *key != NO_KEY);
            let id = ctx.insert_node(label, key, command.fields())?;
            format!("ok {}", names.add_node(name()?, id)?)
        }
        "upsert" => {
            let (label, key) = label_and_key(name()?);
            let upserted = ctx.upsert_node(label, key, command.fields())?;
            if upserted.created {
                format!("ok {} created", names.add_node(name()?, upserted.id)?)
            } else {
                format!("ok {} replaced", names.of(upserted.id))
            }
        }
        "set" => {
            let (id, fields) = (names.node(name()?)?, command.fields());
            match fields.iter().next() {
                Some((field, value)) if fields.len() == 1 => ctx.set(id, field, value.clone())?,
                _ => ctx.set_many(id, fields)?,
            }
            "ok".to_owned()
        }
        "unset" => {
            let found = ctx.unset(names.node(name()?)?, command.word(1, "a field")?)?;
            if found { "ok".to_owned() } else { "ok, was absent".to_owned() }
        }
        "replace" => {
            ctx.replace(names.node(name()?)?, command.fields())?;
            "ok".to_owned()
        }
        "delete" => format!("ok {} edges", ctx.delete_node(names.node(name()?)?)?),
        "for_update" => names.show(ctx.get_for_update(names.node(name()?)?)?),
        "check" => {
            ctx.check(names.node(name()?)?, version(command.word(1, "a version")?)?);
            "ok".to_owned()
        }
        _ => return edges(ctx, names, command),
    };
    Ok(Some(output))
}

fn version(text: &str) -> Result<Option<Timestamp>, ScriptError> {
    if text == "absent" {
        return Ok(None);
    }
    let number = text.strip_prefix('@').and_then(|number| number.parse().ok());
    number
        .map(|number| Some(Timestamp::new(number)))
        .ok_or_else(|| ScriptError::wrong(format!("a version is @N or absent, and not {text:?}")))
}

/// The writing steps about edges.
fn edges(
    ctx: &mut Transaction<'_>,
    names: &mut Names,
    command: &Command,
) -> Result<Option<String>, ScriptError> {
    if command.verb == "define" {
        let def = match command.word(1, "unique or multi")? {
            "unique" => EdgeTypeDef::unique(),
            "multi" => EdgeTypeDef::multi(),
            other => return Err(ScriptError::wrong(format!("neither unique nor multi: {other}"))),
        };
        let def = command.option("from").map_or(def.clone(), |label| def.from(label));
        let def = command.option("to").map_or(def.clone(), |label| def.to(label));
        ctx.define_edge_type(command.word(0, "a type")?, def)?;
        return Ok(Some("ok".to_owned()));
    }
    if !["link", "unlink", "unlink_edge", "update_edge"].contains(&&*command.verb) {
        return Ok(None);
    }
    let node = |names: &Names, at| names.node(command.word(at, "a node")?);
    let (source, target) = (node(names, 0)?, node(names, 2)?);
    let edge_type = command.word(1, "a type")?;
    let edge = |names: &Names| names.edge((source, edge_type, target), command.plain(3).next());
    let output = match &*command.verb {
        "link" => {
            let edge = ctx.link_nodes(source, edge_type, target, command.fields())?;
            format!("ok{}", names.add_edge(edge_type, edge))
        }
        "unlink" => format!("ok {}", ctx.unlink_nodes(source, edge_type, target)?),
        "unlink_edge" => {
            ctx.unlink_edge(edge(names)?)?;
            "ok".to_owned()
        }
        _ => {
            ctx.set_edge(edge(names)?, command.fields())?;
            "ok".to_owned()
        }
    };
    Ok(Some(output))
}

/// Runs a step about savepoints; `None` if the verb is not one.
pub(super) fn savepoint(
    ctx: &mut Transaction<'_>,
    savepoints: &mut BTreeMap<String, Savepoint>,
    command: &Command,
) -> Result<Option<String>, ScriptError> {
    if !["savepoint", "rollback_to", "release"].contains(&&*command.verb) {
        return Ok(None);
    }
    let name = command.word(0, "a savepoint")?;
    if command.verb == "savepoint" {
        savepoints.insert(name.to_owned(), ctx.savepoint()?);
    } else {
        let savepoint = savepoints.get(name).copied();
        let savepoint = savepoint.ok_or_else(|| ScriptError::wrong("nobody set it"))?;
        if command.verb == "release" {
            ctx.release(savepoint)?;
        } else {
            ctx.rollback_to(savepoint)?;
        }
    }
    Ok(Some("ok".to_owned()))
}
