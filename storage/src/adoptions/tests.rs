//! Adoptions on the servers that `CAIRN_TEST_S3` names, by stores of both kinds; "another client" writes to the same bucket beside them.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;

use super::*;
use crate::bucket::tests::{keep_versions, remove_version, servers};
use crate::bucket::{Access, Bucket};
use crate::capture::testing::Fixture;
use crate::datasets::Origin;
use crate::db::required;
use crate::fsck::{self, Fault, Mode, Pace};
use crate::gc::tests::{assert_sound, cycle, dataset, retract};
use crate::materialise;
use crate::objects::{Buckets, Hash, Space, random_name};

mod faults;

/// A store, and somebody's bucket.
struct Beside {
    name: String,
    fixture: Fixture,
    /// The part of the bucket that is adopted, as another client has it.
    theirs: Bucket,
    prefix: Prefix,
}

/// On each server, by a store of files and by one in a bucket.
async fn each() -> Vec<Beside> {
    let mut all = Vec::new();
    for (name, access) in servers() {
        for is_in_bucket in [false, true] {
            let own = is_in_bucket.then(|| Bucket::new(&access).unwrap());
            all.push(beside(name, &access, own).await);
        }
    }
    all
}

async fn beside(name: &str, access: &Access, own: Option<Bucket>) -> Beside {
    let within = format!("theirs/{}/", random_name());
    let theirs = Access {
        prefix: within.clone(),
        ..access.clone()
    };
    let kind = if own.is_some() { "bucket" } else { "files" };
    let others = Buckets::from([("lab".to_owned(), whole(access))]);
    Beside {
        name: format!("{name}, {kind}"),
        fixture: Fixture::adopting(own, others).await,
        theirs: Bucket::new(&theirs).unwrap(),
        prefix: Prefix {
            bucket: "lab".to_owned(),
            within,
        },
    }
}

/// The bucket with whole keys.
fn whole(access: &Access) -> Bucket {
    let access = Access {
        prefix: String::new(),
        ..access.clone()
    };
    Bucket::new(&access).unwrap()
}

impl Beside {
    async fn put(&self, key: &str, content: impl Into<Bytes>) {
        self.theirs.put(key, content.into()).await.unwrap();
    }

    /// Begins an adoption into a dataset of the name.
    async fn begin(&self, name: &str) -> Adoption {
        let (db, by) = (self.fixture.store.db(), self.fixture.user);
        let found = datasets::by_name(db, self.fixture.project, name)
            .await
            .unwrap();
        let id = match found {
            Some(found) => found.id,
            None => dataset(&self.fixture, name).await,
        };
        let dataset = &datasets::get(db, id).await.unwrap().unwrap();
        let begun =
            |mut tx: Tx| async move { begin(&mut tx, dataset, by, ("s3://lab/x/", "")).await };
        db.write(begun).await.unwrap().0
    }

    async fn adopt(&self, name: &str) -> Result<Made> {
        let adoption = self.begin(name).await;
        let made = carry_out(&self.fixture.store, &adoption, &self.prefix).await;
        if let Err(error) = &made {
            let (adoption, why) = (&adoption, &error.to_string());
            let work = |mut tx: Tx| async move { fail(&mut tx, adoption, why).await };
            self.fixture.store.db().write(work).await.unwrap();
        }
        made
    }

    async fn copy(&self, made: &Made) -> Result<PathBuf> {
        let copy = self.fixture.dir.path().join(random_name());
        let digest = made.version.manifest_digest.parse().unwrap();
        materialise::copy_to(&self.fixture.store, digest, &copy, None).await?;
        Ok(copy)
    }

    /// Whether this host has a file's content.
    fn has(&self, content: &[u8]) -> bool {
        self.fixture
            .store
            .objects()
            .path(&Hash::of(content))
            .is_some_and(|path| path.exists())
    }

    async fn count(&self, text: &'static str) -> i64 {
        required(self.fixture.store.db(), sql(text)).await.unwrap()
    }

    async fn keys(&self) -> usize {
        let (mut keys, mut listing) = (0, self.theirs.list(""));
        while let Some(page) = listing.next().await.unwrap() {
            keys += page.len();
        }
        keys
    }
}

fn long() -> Vec<u8> {
    (0..3_000_000_u32).map(|at| (at / 3 % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_adopted_where_it_lies_and_read_from_there() {
    for one in each().await {
        for number in 0..40 {
            one.put(&format!("small/{number}"), format!("content {number}"))
                .await;
        }
        one.put("long", long()).await;
        one.put("ümläut +&%", "name").await;
        one.put("same", "content 3").await;
        let made = one.adopt("scans").await.unwrap();
        assert_eq!(
            (made.version.files, made.version.origin),
            (43, Origin::Adopted),
            "{}",
            one.name
        );
        assert!(
            !one.has(b"content 7") && !one.has(&long()),
            "{}: no byte is moved",
            one.name
        );
        assert_sound(&one.fixture.store).await;
        assert!(
            !one.has(b"content 7"),
            "{}: not by a check either",
            one.name
        );
        let copy = one.copy(&made).await.unwrap();
        assert!(
            fs::read(copy.join("long")).unwrap() == long(),
            "{}",
            one.name
        );
        assert_eq!(
            fs::read_to_string(copy.join("small/7")).unwrap(),
            "content 7"
        );
        assert_eq!(fs::read_to_string(copy.join("ümläut +&%")).unwrap(), "name");
        assert_eq!(fs::read_to_string(copy.join("same")).unwrap(), "content 3");
        assert_sound(&one.fixture.store).await;
        let again = one.adopt("scans").await.unwrap();
        assert_eq!(
            (again.is_new, again.version.id),
            (false, made.version.id),
            "{}",
            one.name
        );
        one.put("more", "more").await;
        assert_eq!(
            one.adopt("scans").await.unwrap().version.number,
            2,
            "{}",
            one.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_paths_are_named() {
    for one in each()
        .await
        .into_iter()
        .filter(|one| one.name == "strict, files")
    {
        let error = one.adopt("scans").await.unwrap_err().to_string();
        assert!(error.contains("no files"), "{error}");
        one.put("a", "file").await;
        one.put(&format!("{}end", "deep/".repeat(64)), "too deep")
            .await;
        let error = one.adopt("scans").await.unwrap_err();
        assert!(
            !error.retryable() && error.to_string().contains("deeper than 64"),
            "{error}"
        );
        assert_eq!(one.count("SELECT COUNT(*) FROM adopted").await, 0);
        assert_eq!(
            one.count("SELECT COUNT(*) FROM adoptions WHERE state = 'failed' AND error <> ''")
                .await,
            2
        );
    }
}

#[test]
fn rules_for_keys_hold() {
    let listed = |key: &str| crate::bucket::Listed {
        key: key.to_owned(),
        head: crate::bucket::Head {
            bytes: 1,
            pin: crate::bucket::Pin {
                etag: "\"x\"".to_owned(),
                version: None,
            },
        },
    };
    assert_eq!(list::key("in/", listed("in/a/b")).unwrap().path, "a/b");
    for bad in ["in/../x", "in//x", "in/a/./b", "in/folder/", "in/"] {
        assert!(list::key("in/", listed(bad)).is_err(), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_needs_leaves_the_rows_and_never_the_bucket() {
    for one in each().await {
        one.put("a", "a").await;
        one.put("b", "b").await;
        let made = one.adopt("scans").await.unwrap();
        one.copy(&made).await.unwrap();
        retract(&one.fixture, made.version.dataset_id, made.version.number).await;
        for _ in 0..3 {
            cycle(&one.fixture.store).await;
        }
        assert_eq!(
            one.count("SELECT COUNT(*) FROM adopted").await,
            0,
            "{}",
            one.name
        );
        assert!(!one.has(b"a"), "{}", one.name);
        assert_eq!(
            one.keys().await,
            2,
            "{}: the bucket is left alone",
            one.name
        );
        let again = one.adopt("scans").await.unwrap();
        assert_eq!(again.version.number, 2, "{}", one.name);
        assert_sound(&one.fixture.store).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_that_was_cut_off_goes_on_with_what_it_had_learnt() {
    for one in each().await {
        one.put("a", "a").await;
        one.put("b", "b").await;
        let adoption = one.begin("scans").await;
        assert_eq!(one.begin("scans").await.id, adoption.id, "it is under way");
        let keys = list::list(&whole_of(&one), &one.prefix.within)
            .await
            .unwrap();
        let store = &one.fixture.store;
        let from = (store.db(), &whole_of(&one));
        gather::gather(from, (&adoption, &one.prefix), keys)
            .await
            .unwrap();
        // A sign that it is not read again: what is on record is believed.
        let other = Hash::of(b"other").to_hex();
        let text = "UPDATE adopted SET hash = $1 WHERE hash = $2";
        let query = || sql(text).bind(other.clone()).bind(Hash::of(b"a").to_hex());
        let work = |mut tx: Tx| async move { execute(&mut tx, query()).await };
        store.db().write(work).await.unwrap();
        let reopened = one.fixture.reopen().await;
        let found = running(reopened.db()).await.unwrap();
        assert_eq!((found.len(), found[0].done_files), (1, 2), "{}", one.name);
        let made = carry_out(&reopened, &found[0], &one.prefix).await.unwrap();
        let ended = get(reopened.db(), adoption.id).await.unwrap().unwrap();
        assert_eq!(
            (ended.state, ended.version),
            (State::Done, Some(made.version.number))
        );
        let report = fsck::check(&reopened, Mode::Full).await.unwrap();
        assert_eq!(report.findings.len(), 1, "{}: {report:?}", one.name);
    }
}

fn whole_of(one: &Beside) -> Bucket {
    let adopted = one.fixture.store.adopted().unwrap();
    adopted.bucket("lab").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_key_are_pinned_where_the_bucket_keeps_them() {
    let Some(("strict", access)) = servers().into_iter().next() else {
        return;
    };
    let access = Access {
        bucket: format!("cairn-{}", &random_name()[..12].to_lowercase()),
        ..access
    };
    keep_versions(&whole(&access)).await;
    let one = beside("strict", &access, None).await;
    one.put("a", "first").await;
    let made = one.adopt("scans").await.unwrap();
    one.put("a", "second").await;
    assert_sound(&one.fixture.store).await;
    let copy = one.copy(&made).await.unwrap();
    assert_eq!(fs::read_to_string(copy.join("a")).unwrap(), "first");
    assert_eq!(one.adopt("scans").await.unwrap().version.number, 2);
    let place = one.fixture.store.adopted().unwrap();
    let first = tokio::task::block_in_place(|| place.find(&Hash::of(b"first"))).unwrap();
    remove_version(
        &one.theirs,
        "a",
        first.unwrap().pin.version.as_deref().unwrap(),
    )
    .await;
    let report = fsck::check(&one.fixture.store, Mode::Quick).await.unwrap();
    assert_eq!(report.findings[0].fault, Fault::Missing, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_knows_where_adopted_files_lie_and_leaves_them_there() {
    for one in each().await {
        one.put("a", "a").await;
        one.adopt("scans").await.unwrap();
        let file = one.fixture.dir.path().join("backup");
        let out = fs::File::create(&file).unwrap();
        let options = crate::backup::Options::default();
        let written =
            crate::backup::write(&one.fixture.store, Box::new(out), options, Box::new(|_| {}));
        let totals = written.await.unwrap().totals;
        assert_eq!(
            (totals.objects, totals.lost),
            (0, 0),
            "{}: {totals:?}",
            one.name
        );
    }
}
