//! Puts damaged objects aside, so that whoever has the content can send it again.

use std::fs;

use crate::db::{Tx, execute, sql};
use crate::error::Result;
use crate::mount::begin_epoch;
use crate::objects::{Hash, Space, Store, blocking, io_error, read_whole};

/// Lets go of objects that a check found missing or damaged: a damaged one goes to `STORE/damaged/HASH`, where a person can look at it, and no project
/// counts as having the content any more, so that the next upload of it is taken. One that turns out to be whole stays.
///
/// # Errors
/// `Unavailable` when the store cannot be written.
pub async fn set_aside(store: &Store, objects: Vec<Hash>) -> Result<()> {
    let gone = {
        let store = store.clone();
        blocking(move || {
            let is_gone = |hash: &Hash| put_aside(&store, hash);
            let gone = objects
                .into_iter()
                .filter_map(|hash| is_gone(&hash).map(|gone| gone.then_some(hash)).transpose())
                .collect::<Result<Vec<_>>>()?;
            if !gone.is_empty() {
                let failed = |error| io_error("cannot begin another epoch of the store", error);
                begin_epoch(&store).map_err(failed)?;
            }
            Ok(gone)
        })
        .await?
    };
    let gone = &gone;
    let forget = |mut tx: Tx| async move {
        for hash in gone {
            let text = "DELETE FROM project_objects WHERE hash = $1";
            execute(&mut tx, sql(text).bind(hash.to_hex())).await?;
        }
        Ok(())
    };
    store.db().write(forget).await
}

/// Whether the store has no good copy of an object now.
fn put_aside(store: &Store, hash: &Hash) -> Result<bool> {
    let objects = store.objects();
    if objects.size(Space::Objects, hash)?.is_none() {
        return Ok(true);
    }
    match read_whole(&**objects, hash, &mut |_| Ok(())) {
        Ok(_) => return Ok(false),
        Err(error) if error.retryable() => return Err(error),
        Err(_) => {}
    }
    let Some(path) = objects.path(hash) else {
        return Ok(true);
    };
    let folder = store.within("damaged");
    let failed = |error| io_error(format!("cannot put object {hash} aside"), error);
    fs::create_dir_all(&folder).map_err(failed)?;
    fs::rename(path, folder.join(hash.to_hex())).map_err(failed)?;
    Ok(true)
}
