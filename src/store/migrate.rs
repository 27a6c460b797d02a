//! Schema versions: append-only SQL files, each applied whole or not at all.

use std::path::Path;

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, TransactionBehavior};

use super::error::{At, StoreError, failpoint};
use crate::said::date_of_name;

/// `application_id` of photond's databases ("phtd" in ASCII).
pub const APPLICATION_ID: i32 = 0x7068_7464;

/// Every migration in order; the schema version is the number of those applied.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_search.sql"),
    include_str!("../../migrations/0003_labels.sql"),
    include_str!("../../migrations/0004_tags.sql"),
    include_str!("../../migrations/0005_roots.sql"),
    include_str!("../../migrations/0006_pixels.sql"),
    include_str!("../../migrations/0007_said.sql"),
    include_str!("../../migrations/0008_places.sql"),
    include_str!("../../migrations/0009_sidecars.sql"),
    include_str!("../../migrations/0010_asking.sql"),
    include_str!("../../migrations/0011_covering.sql"),
    include_str!("../../migrations/0012_picture_text.sql"),
    include_str!("../../migrations/0013_persons.sql"),
    include_str!("../../migrations/0014_looks.sql"),
    include_str!("../../migrations/0015_tiles.sql"),
    include_str!("../../migrations/0016_gear.sql"),
    include_str!("../../migrations/0017_map.sql"),
];

/// The schema this program reads and writes.
pub fn current_version() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// Refuses foreign and newer databases, without changing a byte; returns the schema version found.
pub(super) fn check(conn: &Connection, path: &Path) -> Result<i32, StoreError> {
    let id: i32 = conn
        .pragma_query_value(None, "application_id", |r| r.get(0))
        .at(path)?;
    let version: i32 = conn
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .at(path)?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))
        .at(path)?;
    let fresh = id == 0 && version == 0 && tables == 0;
    if !fresh && id != APPLICATION_ID {
        return Err(StoreError::Foreign {
            path: path.to_path_buf(),
            found: id,
        });
    }
    let known = current_version();
    if version > known {
        return Err(StoreError::Newer {
            path: path.to_path_buf(),
            found: version,
            known,
        });
    }
    Ok(version)
}

/// Brings the database to the current schema, one transaction a step. Foreign keys are enforced
/// from here on; a step may make tables anew that others refer to, so they are off while it runs
/// and checked before it commits.
pub(super) fn migrate(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let from = check(conn, path)?;
    add_functions(conn).at(path)?;
    conn.pragma_update(None, "foreign_keys", "OFF").at(path)?;
    for (index, sql) in MIGRATIONS
        .iter()
        .enumerate()
        .skip(usize::try_from(from).unwrap_or(0))
    {
        let version = i32::try_from(index + 1).unwrap_or(i32::MAX);
        apply(conn, sql, version).map_err(|source| StoreError::Migration {
            path: path.to_path_buf(),
            version,
            source,
        })?;
    }
    conn.pragma_update(None, "foreign_keys", "ON").at(path)
}

/// `folder_of(path)`; `name_millis(path)`, the date in a file's name as `files.taken` has it; and
/// `family_of(path)`, what its sidecars' names have too.
fn add_functions(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function("folder_of", 1, flags, |arguments| {
        let path = arguments.get_raw(0).as_bytes().unwrap_or_default();
        Ok(super::files::folder_of(path).to_vec())
    })?;
    conn.create_scalar_function("name_millis", 1, flags, |arguments| {
        let path = arguments.get_raw(0).as_bytes().unwrap_or_default();
        Ok(date_of_name(path).map(|date| date.millis()))
    })?;
    conn.create_scalar_function("family_of", 1, flags, |arguments| {
        let path = arguments.get_raw(0).as_bytes().unwrap_or_default();
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        Ok(crate::sidecar::group(name))
    })
}

fn apply(conn: &mut Connection, sql: &str, version: i32) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    tx.execute_batch(sql)?;
    let broken = tx
        .prepare("PRAGMA foreign_key_check")?
        .query([])?
        .next()?
        .is_some();
    if broken {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY),
            Some("a row refers to one that is not there".to_owned()),
        ));
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", version)?;
    failpoint("migrate.before")?;
    tx.commit()?;
    failpoint("migrate.after")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_migration_leaves_nothing_behind() {
        let mut conn = Connection::open_in_memory().unwrap();
        let err = apply(
            &mut conn,
            "CREATE TABLE a (x) STRICT; CREATE TABLE b (y INTEGER) STRICT;",
            1,
        );
        assert!(
            err.is_err(),
            "a STRICT column without a type is refused by SQLite"
        );
        let left: i64 = conn
            .query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))
            .unwrap();
        assert_eq!(left, 0);
        let version: i32 = conn
            .pragma_query_value(None, "user_version", |r| r.get(0))
            .unwrap();
        assert_eq!(version, 0);
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut conn = Connection::open_in_memory().unwrap();
        let path = Path::new(":memory:");
        migrate(&mut conn, path).unwrap();
        let schema = |c: &Connection| -> Vec<String> {
            c.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
                .unwrap()
                .query_map([], |r| r.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect()
        };
        let first = schema(&conn);
        assert!(first.len() > 8);
        migrate(&mut conn, path).unwrap();
        assert_eq!(schema(&conn), first);
    }
}
