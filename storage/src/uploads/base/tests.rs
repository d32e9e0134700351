use std::collections::BTreeMap;

use super::super::tests::{begin, file, send};
use super::super::{create, declare, seal};
use super::*;
use crate::capture::testing::{Fixture, add_project, write};
use crate::fsck::{self, Mode, Verdict};
use crate::gc::tests::{assert_sound, cycle, dataset, push, retract};
use crate::ids::UploadId;
use crate::objects::Space;

/// The contents that files have here; each is sent once.
const CONTENTS: [&str; 4] = ["", "one", "two", "three"];

type Tree = BTreeMap<String, Declared>;

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 += 1;
        let hash = Hash::of(&self.0.to_le_bytes());
        usize::from(u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]])) % end
    }

    fn path(&mut self) -> String {
        let parts = ["a", "b", "a.b", "a!", "é"];
        let depth = 1 + self.below(3);
        let path: Vec<&str> = (0..depth).map(|_| parts[self.below(5)]).collect();
        path.join("/")
    }

    fn entry(&mut self, path: &str) -> Declared {
        if self.below(6) == 0 {
            return Declared::link(path, ["to", "elsewhere"][self.below(2)]);
        }
        Declared {
            executable: self.below(3) == 0,
            ..file(path, CONTENTS[self.below(4)].as_bytes())
        }
    }

    /// A tree that can be; a large one has several leaves.
    fn tree(&mut self, is_large: bool) -> Tree {
        let many = (0..if is_large { 9_000 } else { 0 }).map(|n| format!("d{:02}/{n:04}", n % 70));
        let mut tree: Tree = many
            .map(|path| (path.clone(), file(&path, b"one")))
            .collect();
        for _ in 0..self.below(12) {
            let path = self.path();
            let beneath = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|a| a.starts_with('/'));
            if !tree
                .keys()
                .any(|other| beneath(other, &path) || beneath(&path, other))
            {
                let entry = self.entry(&path);
                tree.insert(path, entry);
            }
        }
        tree
    }

    /// Random changes, and what the tree is with them.
    fn change(&mut self, tree: &Tree, count: usize) -> (Vec<Declared>, Tree) {
        let (mut changes, mut after) = (Vec::new(), tree.clone());
        for _ in 0..count {
            let at = self.below(tree.len().max(1));
            let there = tree.keys().nth(at).filter(|_| self.below(2) == 0).cloned();
            let path = there.unwrap_or_else(|| self.path());
            if self.below(3) == 0 {
                after.remove(&path);
                changes.push(Declared::removed(path));
            } else {
                let entry = self.entry(&path);
                after.insert(path, entry.clone());
                changes.push(entry);
            }
        }
        (changes, after)
    }
}

async fn begin_on(fixture: &Fixture, kind: Kind, base: Hash) -> Result<UploadId> {
    let (project, user) = (fixture.project, fixture.user);
    let made = create(&fixture.store, project, user, kind, Some(base)).await;
    made.map(|upload| upload.id)
}

/// Declares entries and seals; the contents are there or are sent.
async fn filled(fixture: &Fixture, id: UploadId, entries: &[Declared]) -> Result<Hash> {
    let missing = declare(&fixture.store, id, entries).await?;
    for content in CONTENTS.map(str::as_bytes) {
        if missing.contains(&Hash::of(content)) {
            send(fixture, id, content).await?;
        }
    }
    let sealed = seal(&fixture.store, id).await?;
    Ok(sealed.captured.summary.manifest_digest)
}

async fn whole(fixture: &Fixture, tree: &Tree) -> Result<Hash> {
    let entries: Vec<Declared> = tree.values().cloned().collect();
    filled(fixture, begin(fixture, Kind::Snapshot).await, &entries).await
}

/// The digest, or what is wrong.
fn outcome(result: Result<Hash>) -> std::result::Result<Hash, String> {
    match result {
        Ok(digest) => Ok(digest),
        Err(Error::Invalid(text)) => Err(text),
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn changes_of_a_base_come_to_the_same_as_everything() {
    let fixture = Fixture::new().await;
    let mut numbers = Numbers(0);
    let (mut same, mut refused) = (0, 0);
    for round in 0..60 {
        let tree = numbers.tree(round == 0);
        let base = whole(&fixture, &tree).await.unwrap();
        let count = numbers.below(8);
        let (changes, after) = numbers.change(&tree, count);
        let expected = outcome(whole(&fixture, &after).await);
        let id = begin_on(&fixture, Kind::Snapshot, base).await.unwrap();
        let found = outcome(filled(&fixture, id, &changes).await);
        assert_eq!(found, expected, "{tree:?} with {changes:?}");
        if found.is_ok() {
            same += 1;
        } else {
            refused += 1;
        }
    }
    assert!(same > 20 && refused > 3, "{same} {refused}");
    assert_sound(&fixture.store).await;
}

#[tokio::test]
async fn a_file_that_would_be_a_folder_too_is_named() {
    let fixture = Fixture::new().await;
    let tree: Tree = [("a/b".to_owned(), file("a/b", b"one"))].into();
    let base = whole(&fixture, &tree).await.unwrap();
    let id = begin_on(&fixture, Kind::Snapshot, base).await.unwrap();
    let clash = filled(&fixture, id, &[file("a", b"two")]).await;
    let text = outcome(clash).unwrap_err();
    assert!(text.contains("\"a\" is both a file and a folder"), "{text}");
    let gone = [Declared::removed("a/b"), Declared::removed("never/there")];
    filled(&fixture, id, &gone).await.unwrap();
    let id = begin(&fixture, Kind::Snapshot).await;
    let without = declare(&fixture.store, id, &gone).await.unwrap_err();
    assert!(without.to_string().contains("no base"), "{without}");
    let id = begin_on(&fixture, Kind::Snapshot, base).await.unwrap();
    let both = Declared {
        removed: true,
        ..file("a/b", b"one")
    };
    let both = declare(&fixture.store, id, &[both]).await;
    assert!(matches!(both, Err(Error::Invalid(_))), "{both:?}");
}

async fn damage(fixture: &Fixture, digest: &Hash) {
    let before = Verdict {
        integrity: Integrity::Ok,
        checked_ms: None,
    };
    let found = (Integrity::Partial, Mode::Full);
    let work = |mut tx: Tx| async move { fsck::record(&mut tx, digest, found, before).await };
    fixture.store.db().write(work).await.unwrap();
}

#[tokio::test]
async fn a_base_is_what_the_project_itself_holds_whole() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    let is_base = async |kind, digest| match begin_on(&fixture, kind, digest).await {
        Ok(_) => true,
        Err(Error::NotFound(_)) => false,
        Err(error) => panic!("{error:?}"),
    };
    assert!(!is_base(Kind::Outputs, Hash::of(b"nothing")).await);
    let id = begin(&fixture, Kind::Outputs).await;
    let loose = filled(&fixture, id, &[file("a", b"one")]).await.unwrap();
    assert!(!is_base(Kind::Outputs, loose).await, "no version yet");

    write(&folder, "a", "a");
    let digits = dataset(&fixture, "digits").await;
    let (number, digest) = push(&fixture, digits, &folder).await;
    assert!(is_base(Kind::Outputs, digest).await);
    assert!(is_base(Kind::Snapshot, digest).await);
    let other = add_project(store.db(), fixture.user, "other").await;
    let theirs = create(store, other, fixture.user, Kind::Outputs, Some(digest)).await;
    assert!(matches!(theirs, Err(Error::NotFound(_))), "{theirs:?}");
    retract(&fixture, digits, number).await;
    assert!(!is_base(Kind::Outputs, digest).await, "taken back");

    let id = begin(&fixture, Kind::Snapshot).await;
    let entries = [file("a", b"one"), Declared::link("link", "a")];
    let code = filled(&fixture, id, &entries).await.unwrap();
    assert!(is_base(Kind::Snapshot, code).await);
    assert!(!is_base(Kind::Outputs, code).await, "it has a link");
    damage(&fixture, &code).await;
    assert!(!is_base(Kind::Snapshot, code).await, "it is damaged");
}

#[tokio::test]
async fn a_base_stays_until_the_upload_is_over() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    for name in ["a", "b"] {
        write(&folder, name, name);
    }
    let digits = dataset(&fixture, "digits").await;
    let (number, digest) = push(&fixture, digits, &folder).await;
    let id = begin_on(&fixture, Kind::Outputs, digest).await.unwrap();
    let idle = begin_on(&fixture, Kind::Outputs, digest).await.unwrap();
    retract(&fixture, digits, number).await;
    for _ in 0..3 {
        cycle(store).await;
    }
    filled(&fixture, id, &[Declared::removed("b")])
        .await
        .unwrap();
    assert_sound(store).await;
    assert_eq!(filled(&fixture, idle, &[]).await.unwrap(), digest);
    for _ in 0..3 {
        cycle(store).await;
    }
    assert_sound(store).await;
}

#[tokio::test]
async fn a_base_that_turns_out_damaged_is_told() {
    let fixture = Fixture::new().await;
    let (store, folder) = (&fixture.store, fixture.folder("work"));
    write(&folder, "a", "a");
    let digits = dataset(&fixture, "digits").await;
    let (_, digest) = push(&fixture, digits, &folder).await;
    let on_record = begin_on(&fixture, Kind::Outputs, digest).await.unwrap();
    let unread = begin_on(&fixture, Kind::Outputs, digest).await.unwrap();
    let manifest = Manifest::open(store.objects().clone(), &digest).unwrap();
    let leaf = manifest.unwrap().leaf_digest(0).unwrap();
    store.objects().remove(Space::Manifests, &leaf).unwrap();
    let told = filled(&fixture, unread, &[file("b", b"one")]).await;
    assert!(matches!(told, Err(Error::Conflict(_))), "{told:?}");
    damage(&fixture, &digest).await;
    let told = filled(&fixture, on_record, &[]).await;
    assert!(matches!(told, Err(Error::Conflict(_))), "{told:?}");
}
