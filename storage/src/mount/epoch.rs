//! Since when the objects of a store are what they are. What was mounted or looked at before one was put aside says nothing of now.

use std::{fs, io};

use crate::objects::{Store, random_name};

const FILE: &str = "epoch";
/// Is made anew before copies go that come again: what was mounted since is whole all the same, but nobody may rely on what was seen to be there.
const ROOM: &str = "room";

/// The present epoch's name.
pub(crate) fn now(store: &Store) -> io::Result<String> {
    read(store, FILE)
}

/// The name of what a mount can rely on.
pub(super) fn shown(store: &Store) -> io::Result<String> {
    Ok(match read(store, ROOM)?.as_str() {
        NEVER => now(store)?,
        room => format!("{}.{room}", now(store)?),
    })
}

/// Begins another epoch, for every process on this store.
pub(crate) fn begin(store: &Store) -> io::Result<()> {
    write(store, FILE)
}

/// Says that copies are about to go.
pub(crate) fn begin_room(store: &Store) -> io::Result<()> {
    write(store, ROOM)
}

const NEVER: &str = "0";

fn read(store: &Store, name: &str) -> io::Result<String> {
    match fs::read_to_string(store.within(name)) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(NEVER.to_owned()),
        Err(error) => Err(error),
    }
}

fn write(store: &Store, name: &str) -> io::Result<()> {
    let fresh = store.within(&format!(".{name}.{}", random_name()));
    fs::write(&fresh, random_name())?;
    fs::rename(&fresh, store.within(name))
}
