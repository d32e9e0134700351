//! Moves content between two stores: what a manifest needs goes to a machine that lacks it, what was captured there comes back.
//!
//! The receiver says what it lacks ([`lacking`], [`wanted`]), the sender streams that ([`send`]), the receiver takes it in ([`receive`]).
//! A frame is one byte for the kind, the 32 bytes of the name, eight bytes for the length (little-endian) and the bytes; an end frame of
//! one byte closes the stream, so that one cut short is never taken for whole.

mod wire;

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use futures_util::Stream;

use crate::capture::{Captured, Pending};
use crate::homes;
use crate::ids::ProjectId;
use crate::manifest::{Check, Manifest, Node, Summary};
use crate::objects::{Claim, Hash, Space, Store, Stored, blocking, corrupt};
use crate::{Error, Result};

pub use wire::{Item, decode, encode};

/// Everything that a manifest consists of: its nodes, and the objects that its files are.
///
/// # Errors
/// `NotFound` where the store has no such manifest.
pub async fn contents(store: &Store, manifest_digest: Hash) -> Result<Vec<Item>> {
    let store = store.clone();
    blocking(move || {
        let manifest = open(&store, manifest_digest)?;
        let mut items = vec![Item::node(manifest_digest)];
        items.extend(
            (0..manifest.leaves())
                .filter_map(|leaf| manifest.leaf_digest(leaf))
                .map(Item::node),
        );
        let mut objects = BTreeSet::new();
        for entry in manifest.entries() {
            if let Node::File { hash, .. } = entry?.node {
                objects.insert(hash);
            }
        }
        items.extend(objects.into_iter().map(Item::object));
        Ok(items)
    })
    .await
}

/// Those of `items` that the store does not have.
pub async fn lacking(store: &Store, items: Vec<Item>) -> Result<Vec<Item>> {
    let objects = store.objects().clone();
    blocking(move || {
        let mut lacking = Vec::new();
        for item in items {
            if objects.size(item.space(), item.hash())?.is_none() {
                lacking.push(item);
            }
        }
        Ok(lacking)
    })
    .await
}

/// What came from another store, and what keeps it until it is recorded.
#[derive(Debug)]
pub struct Brought {
    /// What came.
    pub items: BTreeSet<Item>,
    claims: Vec<Claim>,
}

impl Brought {
    /// Nothing yet: for work that is about to ask what it wants.
    pub async fn begin(store: &Store) -> Result<Self> {
        Ok(Self {
            items: BTreeSet::new(),
            claims: vec![store.claim().await?],
        })
    }

    /// Adds what came later.
    pub fn add(&mut self, other: Self) {
        self.items.extend(other.items);
        self.claims.extend(other.claims);
    }

    /// One object among what came; none where it is not.
    pub fn object(self, hash: Hash, size: u64) -> Option<Stored> {
        let claim = self.claims.into_iter().next()?;
        let came = self.items.contains(&Item::object(hash));
        came.then_some(Stored { hash, size, claim })
    }
}

/// Those of `items` that must come from outside before a project can have them: nodes that the store lacks, and objects that the
/// project does not hold, whatever the store has of other projects. A hash is no capability. `brought` keeps the others.
pub async fn wanted(
    store: &Store,
    project: ProjectId,
    items: Vec<Item>,
    brought: &Brought,
) -> Result<Vec<Item>> {
    let objects = items.iter().filter(|item| item.space() == Space::Objects);
    let hashes: Vec<Hash> = objects.map(|item| *item.hash()).collect();
    let held = crate::uploads::held(store, project, &hashes).await?;
    let held: HashSet<Hash> = held.into_iter().map(|(hash, _)| hash).collect();
    let (store, claims) = (store.clone(), brought.claims.clone());
    blocking(move || {
        let claim = claims
            .first()
            .ok_or_else(|| Error::fault("nothing keeps what is here already"))?;
        let mut wanted = Vec::new();
        for item in items {
            let may_be_here = item.space() == Space::Manifests || held.contains(item.hash());
            if !may_be_here || !store.claim_one(claim, item.space(), item.hash())? {
                wanted.push(item);
            }
        }
        Ok(wanted)
    })
    .await
}

/// Streams `items` as frames. Ends with an error where the store lacks one, or one is damaged.
pub fn send(store: &Store, items: Vec<Item>) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    wire::send(store.objects().clone(), items)
}

/// Takes a stream of frames into the store: all of it, checked against its names and durable, or nothing. Returns what came.
///
/// # Errors
/// `Invalid` for a stream that is cut short or holds what is not what its name says; `Unavailable` when the disk is full.
pub async fn receive<E: std::fmt::Display>(
    store: &Store,
    body: impl Stream<Item = Result<Bytes, E>> + Send,
) -> Result<Brought> {
    let (items, claim) = wire::receive(store.objects().clone(), body).await?;
    let claims = vec![claim];
    Ok(Brought { items, claims })
}

/// A capture that another machine made and whose content has come: ready to be recorded like one made here.
///
/// `brought` is what came for it. The manifest is read and checked, and every object in it must have come or be the project's already.
///
/// # Errors
/// `Invalid` where that is not so, or the manifest is not what `captured` says of it.
pub async fn adopt(
    store: &Store,
    project: ProjectId,
    captured: Captured,
    brought: Brought,
) -> Result<Pending> {
    let digest = captured.summary.manifest_digest;
    let (summary, objects) = checked(store, project, digest, &brought.items).await?;
    let captured = Captured {
        summary,
        skipped: captured.skipped,
    };
    let claims = brought.claims;
    Ok(Pending::brought(project, captured, objects, claims))
}

/// The same for a snapshot of a home.
///
/// # Errors
/// As [`adopt`].
pub async fn adopt_home(
    store: &Store,
    project: ProjectId,
    taken: homes::Taken,
    brought: Brought,
) -> Result<homes::Pending> {
    let digest = taken.summary.manifest_digest;
    let (summary, mut objects) = checked(store, project, digest, &brought.items).await?;
    let attributes = taken.attributes_hash;
    let came = brought.items.contains(&Item::object(attributes));
    if !came
        && crate::uploads::held(store, project, &[attributes])
            .await?
            .is_empty()
    {
        return Err(Error::invalid("the attributes of a home did not come"));
    }
    let files = store.objects().clone();
    let size = blocking(move || files.size(Space::Objects, &attributes)).await?;
    objects.push((attributes, size.unwrap_or_default()));
    let taken = homes::Taken { summary, ..taken };
    let claims = brought.claims;
    Ok(homes::Pending::received(project, taken, objects, claims))
}

/// Reads and checks a manifest; every object in it must have come or be the project's already.
async fn checked(
    store: &Store,
    project: ProjectId,
    digest: Hash,
    received: &BTreeSet<Item>,
) -> Result<(Summary, Vec<(Hash, u64)>)> {
    let reader = store.clone();
    let (summary, objects) = blocking(move || {
        let manifest = open(&reader, digest)?;
        let (mut check, mut objects) = (Check::default(), Vec::new());
        for entry in manifest.entries() {
            let entry = entry?;
            check.add(&entry);
            if let Node::File { hash, size, .. } = entry.node {
                objects.push((hash, size));
            }
        }
        if !check.agrees(manifest.summary()) {
            return Err(corrupt("a manifest's root does not agree with its entries"));
        }
        objects.sort_unstable();
        objects.dedup();
        Ok((*manifest.summary(), objects))
    })
    .await?;
    let hashes: Vec<Hash> = objects.iter().map(|(hash, _)| *hash).collect();
    let held = crate::uploads::held(store, project, &hashes).await?;
    let held: HashSet<Hash> = held.into_iter().map(|(hash, _)| hash).collect();
    let has = |hash: &Hash| held.contains(hash) || received.contains(&Item::object(*hash));
    if let Some((lost, _)) = objects.iter().find(|(hash, _)| !has(hash)) {
        return Err(Error::invalid(format!("the object {lost} did not come")));
    }
    let sizes = wrong_size(store, objects.clone()).await?;
    if let Some(wrong) = sizes {
        return Err(Error::invalid(format!(
            "the object {wrong} has another size"
        )));
    }
    Ok((summary, objects))
}

/// The first object whose size is not what the manifest says.
async fn wrong_size(store: &Store, objects: Vec<(Hash, u64)>) -> Result<Option<Hash>> {
    let files = store.objects().clone();
    blocking(move || {
        for (hash, size) in objects {
            if files.size(Space::Objects, &hash)? != Some(size) {
                return Ok(Some(hash));
            }
        }
        Ok(None)
    })
    .await
}

fn open(store: &Store, digest: Hash) -> Result<Manifest> {
    Manifest::open(store.objects().clone(), &digest)?
        .ok_or_else(|| Error::not_found(format!("there is no manifest {digest}")))
}

#[cfg(test)]
mod tests;
