//! Puts what is damaged aside, so that whoever has the content can send it again.

use std::io::Read as _;
use std::{fs, io};

use super::Report;
use crate::db::{Tx, execute, sql};
use crate::error::Result;
use crate::manifest::is_node;
use crate::mount::begin_epoch;
use crate::objects::{Hash, Space, Store, blocking, io_error, is_lost, read_whole};

/// Lets go of what a check found missing or damaged: a damaged object or node of a manifest goes to `STORE/damaged/HASH`, where a person can look at it,
/// and no project counts as having the content any more, so that the next upload of it is taken. What turns out to be whole stays,
/// and so does what the system cannot read now: that says nothing of what is on the disk.
///
/// # Errors
/// `Unavailable` or `Internal` when the store cannot be read or written.
pub async fn set_aside(store: &Store, report: &Report) -> Result<()> {
    let (objects, nodes) = (report.faulty.clone(), report.nodes.clone());
    let gone = {
        let store = store.clone();
        blocking(move || {
            let mut gone = Vec::new();
            for hash in objects {
                if put_object_aside(&store, &hash)? {
                    gone.push(hash);
                }
            }
            let mut moved = !gone.is_empty();
            for digest in nodes {
                moved |= put_node_aside(&store, &digest)?;
            }
            if moved {
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
fn put_object_aside(store: &Store, hash: &Hash) -> Result<bool> {
    let objects = store.objects();
    if objects.size(Space::Objects, hash)?.is_none() {
        return Ok(true);
    }
    match read_whole(&**objects, hash, &mut |_| Ok(())) {
        Ok(_) => return Ok(false),
        Err(error) if !is_lost(&error) => return Err(error),
        Err(_) => {}
    }
    move_aside(store, Space::Objects, hash)?;
    Ok(true)
}

/// Whether a node was there and had other content.
fn put_node_aside(store: &Store, digest: &Hash) -> Result<bool> {
    let Some(mut source) = store.objects().open(Space::Manifests, digest)? else {
        return Ok(false);
    };
    let mut packed = Vec::new();
    let failed = |error| io_error(format!("cannot read manifest node {digest}"), error);
    source.read_to_end(&mut packed).map_err(failed)?;
    if is_node(digest, &packed) {
        return Ok(false);
    }
    move_aside(store, Space::Manifests, digest)?;
    Ok(true)
}

fn move_aside(store: &Store, space: Space, hash: &Hash) -> Result<()> {
    let folder = store.within("damaged");
    let failed = |error| io_error(format!("cannot put {hash} aside"), error);
    fs::create_dir_all(&folder).map_err(failed)?;
    match fs::rename(store.files().place(space, hash), folder.join(hash.to_hex())) {
        // Another check did so.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved.map_err(failed),
    }
}
