//! Puts what is damaged aside, so that whoever has the content can send it again.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use super::pace::Pace;
use super::{Report, is_stop};
use crate::db::{Db, Query, Tx, all, execute, select_in, sql};
use crate::error::{Error, Result};
use crate::gc::check_tie;
use crate::manifest::is_node;
use crate::mount::begin_epoch;
use crate::objects::{
    Claim, Hash, Objects, Place, Space, State, Store, blocking, io_error, is_lost, read_whole,
    wait_for,
};

/// Asked for at once.
const ASKED: usize = 100;

/// What became of damage.
#[derive(Debug, Default)]
pub struct Aside {
    /// The objects that the store has no good copy of.
    pub gone: BTreeSet<Hash>,
    /// Those that can come in again: to be given to [`let_go`] in the transaction that records what follows.
    pub let_go: BTreeSet<Hash>,
}

/// Moves what a check found damaged out of the way: objects and nodes of manifests go to `STORE/damaged/HASH`, where a person can look at them. What
/// turns out to be whole stays.
///
/// What cannot be moved, or not be read now by the system, stays too; the log says why, and the next check meets it again. Reads at the pace.
///
/// # Errors
/// `Conflict` where it was stopped.
pub async fn set_aside(store: &Store, report: &Report, pace: &Pace) -> Result<Aside> {
    let work = Work {
        store: store.clone(),
        kept: store.kept(),
        claim: store.claim().await?,
        pace: pace.clone(),
        moved: false,
    };
    let (objects, nodes) = (report.faulty.clone(), report.nodes.clone());
    let (mut aside, moved) = blocking(move || work.all(objects, nodes)).await?;
    // What no project counts as having was let go of before, and so was the epoch in which it was there.
    if moved || !counted(store.db(), &aside.let_go).await?.is_empty() {
        let owned = store.clone();
        let begun = blocking(move || {
            let failed = |error| io_error("cannot begin another epoch of the store", error);
            begin_epoch(&owned).map_err(failed)?;
            // Before it is on record that it may come in again: a power cut must bring neither it nor the epoch back.
            owned.files().sync().map_err(failed)
        });
        if let Err(error) = begun.await {
            tracing::warn!(%error, "what is damaged could not be let go of");
            aside.let_go.clear();
        }
    }
    Ok(aside)
}

/// Takes note that no project has these any more, so that the next upload of them is taken.
pub async fn let_go(tx: &mut Tx, objects: &BTreeSet<Hash>) -> Result<()> {
    for hash in objects {
        let text = "DELETE FROM project_objects WHERE hash = $1";
        execute(tx, sql(text).bind(hash.to_hex())).await?;
    }
    Ok(())
}

/// Those of these objects that a project counts as having: where they are missing, that is not on record yet, see [`let_go`].
pub async fn counted(db: &Db, objects: &BTreeSet<Hash>) -> Result<BTreeSet<Hash>> {
    let all_of_them: Vec<&Hash> = objects.iter().collect();
    let mut counted = BTreeSet::new();
    for chunk in all_of_them.chunks(ASKED) {
        let text = "SELECT DISTINCT hash FROM project_objects WHERE hash IN";
        let query = select_in(text, chunk.len(), "");
        let query = chunk
            .iter()
            .map(|hash| hash.to_hex())
            .fold(query, Query::bind);
        for found in all::<String>(db, query).await? {
            counted.extend(found.parse::<Hash>().ok());
        }
    }
    Ok(counted)
}

struct Work {
    store: Store,
    kept: Arc<dyn Objects>,
    claim: Claim,
    pace: Pace,
    moved: bool,
}

impl Work {
    fn all(mut self, objects: BTreeSet<Hash>, nodes: BTreeSet<Hash>) -> Result<(Aside, bool)> {
        let mut aside = Aside::default();
        for hash in objects {
            match self.one(Space::Objects, &hash) {
                Ok(false) => {}
                Ok(true) => {
                    aside.gone.insert(hash);
                    aside.let_go.insert(hash);
                }
                Err(error) => {
                    stays(error, &hash)?;
                    aside.gone.insert(hash);
                }
            }
        }
        for digest in nodes {
            if let Err(error) = self.one(Space::Manifests, &digest) {
                stays(error, &digest)?;
            }
        }
        Ok((aside, self.moved))
    }

    /// Whether there is no good copy now. A bad one on this host and a bad one in the bucket are each mended from the other. What was changed in the
    /// bucket that it was adopted from becomes the store's own where this host has a copy.
    fn one(&mut self, space: Space, hash: &Hash) -> Result<bool> {
        let claims = self.store.files().claims();
        // What is the last good copy stays meanwhile.
        self.claim.look(claims, (space, *hash), || Ok(()))?;
        let suspect = self
            .store
            .remote()
            .map(|remote| remote.suspect((space, *hash)));
        let suspect = suspect.transpose()?;
        let gone_here = self.here(space, hash)?;
        let is_kept = self.store.remote().is_some() && self.is_whole(&*self.kept, space, hash)?;
        let adopted = self.store.adopted().filter(|_| space == Space::Objects);
        let place = adopted.map_or(Ok(None), |adopted| adopted.find(hash))?;
        if is_kept {
            return Ok(false);
        }
        let is_there = self.is_there(place.as_ref())?;
        if let (Some(remote), Some(suspect)) = (self.store.remote(), suspect) {
            // Where it is not even the right bucket, nothing is known.
            wait_for(check_tie(&self.store))?;
            remote.replace(suspect, !gone_here)?;
        }
        if let (Some(adopted), Some(place), false) = (adopted, &place, gone_here || is_there) {
            tracing::warn!(%hash, place = adopted.uri(place), "what was adopted was changed there; the copy here is kept");
            adopted.own(hash)?;
        }
        Ok(gone_here && !is_there)
    }

    /// Whether what was adopted is as it was, where it was.
    fn is_there(&self, place: Option<&Place>) -> Result<bool> {
        let (Some(adopted), Some(place)) = (self.store.adopted(), place) else {
            return Ok(false);
        };
        let spend = &mut |piece: &[u8]| self.pace.spend(piece.len() as u64);
        Ok(adopted.look(place, Some(spend))? == State::Same)
    }

    /// Whether there is no good copy on this host now.
    fn here(&mut self, space: Space, hash: &Hash) -> Result<bool> {
        loop {
            let Some(before) = self.look(space, hash)? else {
                return Ok(true);
            };
            if self.is_whole(self.store.files(), space, hash)? {
                return Ok(false);
            }
            // Another check may have moved it meanwhile, and a good one may have come.
            match self.look(space, hash)? {
                None => return Ok(true),
                Some(now) if (now.dev(), now.ino()) == (before.dev(), before.ino()) => {}
                Some(_) => continue,
            }
            self.move_aside(space, hash)?;
            return Ok(true);
        }
    }

    fn look(&self, space: Space, hash: &Hash) -> Result<Option<Metadata>> {
        match fs::symlink_metadata(self.store.files().place(space, hash)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error(format!("cannot look at {hash}"), error)),
        }
    }

    fn is_whole(&self, objects: &dyn Objects, space: Space, hash: &Hash) -> Result<bool> {
        if space == Space::Objects {
            let pace = &mut |piece: &[u8]| self.pace.spend(piece.len() as u64);
            return match read_whole(objects, hash, pace) {
                Ok(_) => Ok(true),
                Err(error) if is_lost(&error) => Ok(false),
                Err(error) => Err(error),
            };
        }
        let Some(mut source) = objects.open(space, hash)? else {
            return Ok(false);
        };
        let mut packed = Vec::new();
        let failed = |error| io_error(format!("cannot read manifest node {hash}"), error);
        source.read_to_end(&mut packed).map_err(failed)?;
        self.pace.spend(packed.len() as u64)?;
        Ok(is_node(hash, &packed))
    }

    fn move_aside(&mut self, space: Space, hash: &Hash) -> Result<()> {
        let folder = self.store.within("damaged");
        let failed = |error| io_error(format!("cannot put {hash} aside"), error);
        fs::create_dir_all(&folder).map_err(failed)?;
        match fs::rename(
            self.store.files().place(space, hash),
            folder.join(hash.to_hex()),
        ) {
            // Another check did so.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved.map_err(failed)?,
        }
        self.moved = true;
        Ok(())
    }
}

fn stays(error: Error, hash: &Hash) -> Result<()> {
    if is_stop(&error) {
        return Err(error);
    }
    tracing::warn!(%hash, %error, "what is damaged could not be put aside");
    Ok(())
}
