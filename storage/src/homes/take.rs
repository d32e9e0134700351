//! Takes a snapshot of a home: reads what changed since the last one, builds the manifest and the attributes, records nothing.

use std::collections::HashMap;
use std::path::Path;

use super::attributes::{self, Node, What};
use super::walk::{Walked, walk};
use super::{Pending, Taken};
use crate::Result;
use crate::capture::{self, Found, FoundKind, Kept, Reason, Root, Skipped, cut, ingest};
use crate::ids::ProjectId;
use crate::index;
use crate::manifest::{Builder, Entry, Node as Content, Summary};
use crate::objects::{Batch, Hash, Store};

pub(super) fn take_now(
    store: &Store,
    project: ProjectId,
    folder: &Path,
    index_name: &str,
) -> Result<Pending> {
    let root = Root::open(folder)?;
    let batch = store.objects().begin()?;
    let mut index = index::open(store, index_name, project)?;
    let Walked {
        mut nodes,
        mut skipped,
        stats,
    } = walk(&root)?;
    let (places, found) = files(&nodes, &stats);
    let known = index.known(&found);
    let taken = ingest(&root, &*batch, &found, &known)?;
    let mut contents = Contents {
        builder: Builder::new(&*batch),
        objects: Vec::new(),
        left: vec![false; nodes.len()],
    };
    for (number, (place, (found, taken))) in places
        .into_iter()
        .zip(found.into_iter().zip(taken))
        .enumerate()
    {
        let path = String::from_utf8_lossy(&nodes[place].path).into_owned();
        let kept = match taken {
            capture::Taken::Left(reason) => {
                contents.left[place] = true;
                skipped.push(Skipped { path, reason });
                continue;
            }
            capture::Taken::Kept(kept) => kept,
        };
        if kept.torn {
            let reason = Reason::Torn;
            skipped.push(Skipped { path, reason });
        }
        index.add(&found.path, &kept);
        let new = known.get(number).is_none_or(Option::is_none);
        contents.push(found.path, &kept, new)?;
    }
    let Contents {
        builder,
        mut objects,
        left,
    } = contents;
    let summary = builder.finish()?;
    drop_left(&mut nodes, &left, &mut skipped);
    let attributes_hash = put_attributes(&*batch, &nodes, &mut objects)?;
    let claim = batch.commit()?;
    objects.sort_unstable();
    objects.dedup();
    Ok(Pending {
        project,
        taken: taken_of(summary, attributes_hash, skipped),
        objects,
        index: Some(index.finish()),
        claims: vec![claim],
    })
}

/// The files among the nodes: their places there, and how a capture finds them, in the order that a manifest needs.
fn files(nodes: &[Node], stats: &HashMap<usize, capture::Stat>) -> (Vec<usize>, Vec<Found>) {
    let mut files: Vec<(usize, Found)> = stats
        .iter()
        .map(|(place, stat)| (*place, found(&nodes[*place], *stat)))
        .collect();
    files.sort_unstable_by(|(_, a), (_, b)| a.path.cmp(&b.path));
    files.into_iter().unzip()
}

fn taken_of(summary: Summary, attributes_hash: Hash, skipped: Vec<Skipped>) -> Taken {
    Taken {
        summary,
        attributes_hash,
        skipped: cut(skipped),
    }
}

fn found(node: &Node, stat: capture::Stat) -> Found {
    let path = attributes::key(&node.path);
    let odd = (path.as_bytes() != node.path).then(|| node.path.clone());
    Found {
        path,
        kind: FoundKind::File { stat },
        odd,
    }
}

/// The manifest under way.
struct Contents<'a> {
    builder: Builder<'a>,
    objects: Vec<(Hash, u64)>,
    /// The nodes whose content could not be had.
    left: Vec<bool>,
}

impl Contents<'_> {
    fn push(&mut self, path: String, kept: &Kept, new: bool) -> Result<()> {
        if new {
            self.objects.push((kept.hash, kept.size));
        }
        let node = Content::File {
            hash: kept.hash,
            size: kept.size,
            executable: kept.stat.executable,
        };
        self.builder.push(Entry { path, node })
    }
}

/// Drops the nodes without content, with the other names of such files, and corrects the places that links point to.
fn drop_left(nodes: &mut Vec<Node>, left: &[bool], skipped: &mut Vec<Skipped>) {
    if !left.contains(&true) {
        return;
    }
    let mut moved = vec![0; nodes.len()];
    let mut kept: Vec<Node> = Vec::with_capacity(nodes.len());
    for (place, mut node) in std::mem::take(nodes).into_iter().enumerate() {
        if left[place] {
            continue;
        }
        if let What::Link { first } = &mut node.what {
            if left[*first] {
                skipped.push(Skipped {
                    path: String::from_utf8_lossy(&node.path).into_owned(),
                    reason: Reason::Unreadable,
                });
                continue;
            }
            *first = moved[*first];
        }
        moved[place] = kept.len();
        kept.push(node);
    }
    *nodes = kept;
}

fn put_attributes(
    batch: &dyn Batch,
    nodes: &[Node],
    objects: &mut Vec<(Hash, u64)>,
) -> Result<Hash> {
    let packed = attributes::encode(nodes)?;
    let put = batch.put(&mut packed.as_slice())?;
    objects.push(put);
    Ok(put.0)
}
