//! Frames: how items and their bytes lie on the wire. Bounded memory at any size; what comes is checked before it is kept.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;

use crate::manifest;
use crate::objects::{Batch, Claim, Hash, Objects, Space, blocking, corrupt, io_error};
use crate::{Error, Result};

const NODE: u8 = 0;
const OBJECT: u8 = 1;
const END: u8 = 2;
/// Kind and name.
const NAME_BYTES: usize = 33;
const CHUNK_BYTES: usize = 128 * 1024;
/// Chunks on their way between the network and the disk.
const CHUNKS_AHEAD: usize = 8;
/// The largest node as it is packed.
const NODE_BYTES: u64 = 80 << 20;

/// One thing that a store keeps: a manifest's node or an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item(Space, Hash);

impl Item {
    /// A node of a manifest.
    pub fn node(digest: Hash) -> Self {
        Self(Space::Manifests, digest)
    }

    /// An object.
    pub fn object(hash: Hash) -> Self {
        Self(Space::Objects, hash)
    }

    pub(super) fn space(&self) -> Space {
        self.0
    }

    pub(super) fn hash(&self) -> &Hash {
        &self.1
    }

    fn name(&self) -> [u8; NAME_BYTES] {
        let mut name = [0; NAME_BYTES];
        name[0] = match self.0 {
            Space::Manifests => NODE,
            Space::Objects => OBJECT,
        };
        name[1..].copy_from_slice(self.1.as_bytes());
        name
    }

    fn parse(name: &[u8; NAME_BYTES]) -> Result<Self> {
        let (kind, hash) = name.split_first().expect("it is not empty");
        let hash = Hash::from_bytes(hash.try_into().expect("32 bytes are left"));
        match *kind {
            NODE => Ok(Self::node(hash)),
            OBJECT => Ok(Self::object(hash)),
            _ => Err(Error::invalid("a frame is of an unknown kind")),
        }
    }
}

/// Items as bytes, 33 for each.
pub fn encode(items: &[Item]) -> Vec<u8> {
    items.iter().flat_map(Item::name).collect()
}

/// The items that [`encode`] was given.
///
/// # Errors
/// `Invalid` for anything else.
pub fn decode(bytes: &[u8]) -> Result<Vec<Item>> {
    let (names, rest) = bytes.as_chunks::<NAME_BYTES>();
    if !rest.is_empty() {
        return Err(Error::invalid("a list of items is cut short"));
    }
    names.iter().map(Item::parse).collect()
}

type Sender = mpsc::Sender<Result<Bytes>>;

pub(super) fn send(
    objects: Arc<dyn Objects>,
    items: Vec<Item>,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        let brought = objects.bring(&mut items.iter().map(|Item(space, hash)| Ok((*space, *hash))));
        let sent = brought.and_then(|()| {
            let mut items = items.iter();
            items.try_for_each(|item| send_one(&*objects, item, &sender))
        });
        let last = sent.map(|()| Bytes::from_static(&[END]));
        // Nobody may be listening any more.
        let _ = sender.blocking_send(last);
    });
    futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|item| (item, receiver))
    })
}

fn send_one(objects: &dyn Objects, item: &Item, sender: &Sender) -> Result<()> {
    let Item(space, hash) = item;
    let missing = || corrupt(format!("object {hash} is missing"));
    let size = objects.size(*space, hash)?.ok_or_else(missing)?;
    let mut source = objects.open(*space, hash)?.ok_or_else(missing)?;
    let gone = |_| Error::conflict("the receiver went away");
    let mut buffer = BytesMut::with_capacity(CHUNK_BYTES);
    buffer.extend_from_slice(&item.name());
    buffer.extend_from_slice(&size.to_le_bytes());
    let mut left = size;
    loop {
        let start = buffer.len();
        let most = usize::try_from(left)
            .unwrap_or(CHUNK_BYTES)
            .min(CHUNK_BYTES - start);
        buffer.resize(start + most, 0);
        source
            .read_exact(&mut buffer[start..])
            .map_err(|error| io_error(format!("cannot read object {hash}"), error))?;
        left -= most as u64;
        sender
            .blocking_send(Ok(buffer.split().freeze()))
            .map_err(gone)?;
        if left == 0 {
            return Ok(());
        }
        buffer.reserve(CHUNK_BYTES);
    }
}

pub(super) async fn receive<E: std::fmt::Display>(
    objects: Arc<dyn Objects>,
    body: impl Stream<Item = Result<Bytes, E>> + Send,
) -> Result<(BTreeSet<Item>, Claim)> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    let taking = blocking(move || {
        take(
            &*objects,
            Incoming {
                receiver,
                chunk: Bytes::new(),
            },
        )
    });
    let feeding = async move {
        let mut body = std::pin::pin!(body);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| io::Error::other(error.to_string()));
            let failed = chunk.is_err();
            if sender.send(chunk).await.is_err() || failed {
                return;
            }
        }
    };
    let ((), taken) = tokio::join!(feeding, taking);
    taken
}

fn take(objects: &dyn Objects, mut incoming: Incoming) -> Result<(BTreeSet<Item>, Claim)> {
    let cut = |error| Error::invalid(format!("a stream of objects is cut short: {error}"));
    let batch = objects.begin()?;
    let mut received = BTreeSet::new();
    loop {
        let mut name = [0; NAME_BYTES];
        incoming.read_exact(&mut name[..1]).map_err(cut)?;
        if name[0] == END {
            return Ok((received, batch.commit()?));
        }
        incoming.read_exact(&mut name[1..]).map_err(cut)?;
        let mut size = [0; 8];
        incoming.read_exact(&mut size).map_err(cut)?;
        let item = Item::parse(&name)?;
        take_one(&*batch, &item, u64::from_le_bytes(size), &mut incoming)?;
        received.insert(item);
    }
}

fn take_one(batch: &dyn Batch, item: &Item, size: u64, incoming: &mut Incoming) -> Result<()> {
    let other = || Error::invalid(format!("what came as {} is something else", item.hash()));
    match item.space() {
        Space::Objects => {
            let (hash, came) = batch.put(&mut incoming.take(size))?;
            if hash != *item.hash() || came != size {
                return Err(other());
            }
        }
        Space::Manifests => {
            if size > NODE_BYTES {
                return Err(other());
            }
            let mut packed = Vec::new();
            incoming
                .take(size)
                .read_to_end(&mut packed)
                .map_err(|error| Error::invalid(format!("a node is cut short: {error}")))?;
            if !manifest::is_node(item.hash(), &packed) {
                return Err(other());
            }
            if !batch.has_node(item.hash())? {
                batch.put_node(item.hash(), &packed)?;
            }
        }
    }
    Ok(())
}

/// What comes from the network, for a thread that blocks.
struct Incoming {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    chunk: Bytes,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
