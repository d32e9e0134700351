//! Since when the objects of a store are what they are. What was mounted or looked at before one was put aside says nothing of now.

use std::{fs, io};

use crate::objects::{Store, random_name};

const FILE: &str = "epoch";

/// The present epoch's name.
pub(crate) fn now(store: &Store) -> io::Result<String> {
    match fs::read_to_string(store.within(FILE)) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok("0".to_owned()),
        Err(error) => Err(error),
    }
}

/// Begins another one, for every process on this store.
pub(crate) fn begin(store: &Store) -> io::Result<()> {
    let fresh = store.within(&format!(".{FILE}.{}", random_name()));
    fs::write(&fresh, random_name())?;
    fs::rename(&fresh, store.within(FILE))
}
