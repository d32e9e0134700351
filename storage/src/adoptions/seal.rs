//! Makes the version of what was learnt: a manifest, and one transaction that says where all of it lies.

use serde_json::Map;

use super::gather::Found;
use super::{Adoption, done};
use crate::Result;
use crate::capture::Pending;
use crate::datasets::{self, Dataset, Made, NewVersion, Origin};
use crate::manifest::{Builder, Entry, Node, Summary};
use crate::objects::{Claim, Hash, Place, Space, Store, adopt, blocking};

/// Makes the version. The newest one is the answer where it holds the very same files.
pub(super) async fn seal(
    store: &Store,
    (adoption, dataset): (&Adoption, &Dataset),
    mut found: Vec<Found>,
) -> Result<Made> {
    found.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let owned = store.clone();
    let (summary, claim, mut places) = blocking(move || {
        let (summary, claim) = build(&owned, &found)?;
        let places: Vec<Place> = found.into_iter().map(|(_, place)| place).collect();
        Ok((summary, claim, places))
    })
    .await?;
    places.sort_unstable_by_key(|place| place.hash);
    let objects: Vec<(Hash, u64)> = places
        .iter()
        .map(|place| (place.hash, place.bytes))
        .collect();
    let pending = Pending::plain(dataset.project_id, summary, objects, claim);
    let new = version(adoption, summary);
    let (pending_ref, new, places) = (&pending, &new, &places);
    let made = store.db().write(move |mut tx| async move {
        // Before the objects, which count as placed by it.
        adopt(&mut tx, places).await?;
        pending_ref.record(&mut tx).await?;
        let made = datasets::add(&mut tx, dataset.id, new).await?;
        done(&mut tx, adoption, &made).await?;
        Ok(made)
    });
    let made = made.await?;
    pending.recorded();
    Ok(made)
}

fn version(adoption: &Adoption, summary: Summary) -> NewVersion {
    let message = match &*adoption.message {
        "" => format!("Adopted from {}", adoption.uri),
        given => given.to_owned(),
    };
    NewVersion {
        user_id: adoption.user_id,
        summary,
        message,
        metadata: Map::new(),
        origin: Origin::Adopted,
        job_id: None,
        sources: Vec::new(),
    }
}

/// The manifest, and a claim on all that is in it: what the store has of it already stays. Blocks.
fn build(store: &Store, found: &[Found]) -> Result<(Summary, Claim)> {
    let batch = store.objects().begin()?;
    let mut builder = Builder::new(&*batch);
    for (path, place) in found {
        builder.push(Entry {
            path: path.clone(),
            node: Node::File {
                hash: place.hash,
                size: place.bytes,
                executable: false,
            },
        })?;
    }
    let summary = builder.finish()?;
    let claim = batch.commit()?;
    for (_, place) in found {
        claim.look(store.files().claims(), (Space::Objects, place.hash), || {
            Ok(())
        })?;
    }
    Ok((summary, claim))
}
