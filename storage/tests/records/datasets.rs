//! Datasets, their versions and aliases.

use std::collections::BTreeSet;

use serde_json::Map;
use storage::datasets::{
    self, Cause, Change, Dataset, Effect, NewDataset, NewVersion, Origin, Source, Target, Version,
    Visibility,
};
use storage::ids::{DatasetId, ProjectId, UserId};
use storage::manifest::Summary;
use storage::{Error, Hash, Page};

use crate::bed::{Bed, on_both, written};

on_both!(
    found_by_name_until_deleted,
    versions_are_numbered_without_gaps,
    same_files_are_the_same_version,
    many_writers_get_every_number_once,
    aliases_move_and_leave_a_trail,
    retracted_version_is_not_the_latest,
    sources_are_remembered
);

async fn dataset(bed: &Bed, project_id: ProjectId, user_id: UserId, name: &str) -> Dataset {
    make(bed, project_id, user_id, name).await.unwrap()
}

async fn make(
    bed: &Bed,
    project_id: ProjectId,
    user_id: UserId,
    name: &str,
) -> storage::Result<Dataset> {
    let new = NewDataset {
        project_id,
        user_id,
        name: name.to_owned(),
        description: String::new(),
        tags: vec!["images".to_owned()],
        visibility: Visibility::Project,
    };
    let new = &new;
    written!(bed, |tx| datasets::create(&mut tx, new))
}

fn new_version(user_id: UserId, content: &str) -> NewVersion {
    NewVersion {
        user_id,
        summary: Summary {
            manifest_digest: Hash::of(content.as_bytes()),
            content_digest: Hash::of(b"content"),
            files: 3,
            bytes: 30,
            symlinks: 0,
        },
        message: format!("now {content}"),
        metadata: Map::new(),
        origin: Origin::Upload,
        job_id: None,
        sources: Vec::new(),
    }
}

async fn add(bed: &Bed, id: DatasetId, user_id: UserId, content: &str) -> Version {
    let new = &new_version(user_id, content);
    let made = written!(bed, |tx| datasets::add(&mut tx, id, new)).unwrap();
    made.version
}

async fn number(bed: &Bed, id: DatasetId, text: &str) -> Option<i64> {
    let found = datasets::find(&bed.db, id, text).await.unwrap();
    found.map(|version| version.number)
}

async fn found_by_name_until_deleted(bed: &Bed) {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    let digits = dataset(bed, project, ada.id, "digits").await;
    assert_eq!(
        (digits.project.as_str(), digits.user.as_str()),
        ("vision", "ada")
    );
    let found = datasets::by_name(&bed.db, project, "digits").await.unwrap();
    assert_eq!(found.as_ref(), Some(&digits));
    let twice = make(bed, project, ada.id, "digits").await;
    assert!(matches!(twice, Err(Error::Conflict(_))));
    for bad in ["", "a:b", "a/b", "A", "#1", &digits.id.to_string()] {
        let made = make(bed, project, ada.id, bad).await;
        assert!(matches!(made, Err(Error::Invalid(_))), "{bad}");
    }
    let other = dataset(bed, project, ada.id, "letters").await;
    let change = |name: &str| Change {
        name: Some(name.to_owned()),
        visibility: Some(Visibility::Public),
        ..Change::default()
    };
    let to = &change("digits");
    let taken = written!(bed, |tx| datasets::update(&mut tx, other.id, to));
    assert!(matches!(taken, Err(Error::Conflict(_))));
    let to = &change("glyphs");
    let glyphs = written!(bed, |tx| datasets::update(&mut tx, other.id, to)).unwrap();
    assert_eq!(
        (glyphs.name.as_str(), glyphs.visibility),
        ("glyphs", Visibility::Public)
    );
    assert_eq!(glyphs.tags, ["images"]);
    let list = datasets::list(&bed.db, project, &Page::first(1))
        .await
        .unwrap();
    assert_eq!(list.items, [glyphs]);
    let next = Page {
        limit: 1,
        cursor: list.next,
    };
    let list = datasets::list(&bed.db, project, &next).await.unwrap();
    assert_eq!(list.items, std::slice::from_ref(&digits));
    written!(bed, |tx| datasets::delete(&mut tx, digits.id)).unwrap();
    assert_eq!(datasets::get(&bed.db, digits.id).await.unwrap(), None);
    let gone = written!(bed, |tx| datasets::delete(&mut tx, digits.id));
    assert!(matches!(gone, Err(Error::NotFound(_))));
    dataset(bed, project, ada.id, "digits").await;
}

async fn versions_are_numbered_without_gaps(bed: &Bed) {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    let id = dataset(bed, project, ada.id, "digits").await.id;
    assert_eq!(number(bed, id, "latest").await, None);
    for n in 1..=3 {
        assert_eq!(add(bed, id, ada.id, &n.to_string()).await.number, n);
    }
    let refused = &NewVersion {
        message: "\u{1b}".to_owned(),
        ..new_version(ada.id, "4")
    };
    let refused = written!(bed, |tx| datasets::add(&mut tx, id, refused));
    assert!(matches!(refused, Err(Error::Invalid(_))));
    assert_eq!(add(bed, id, ada.id, "4").await.number, 4);
    let list = datasets::list_versions(&bed.db, id, &Page::first(3))
        .await
        .unwrap();
    let numbers =
        |list: &storage::List<Version>| list.items.iter().map(|v| v.number).collect::<Vec<_>>();
    assert_eq!(numbers(&list), [4, 3, 2]);
    let next = Page {
        limit: 3,
        cursor: list.next,
    };
    let list = datasets::list_versions(&bed.db, id, &next).await.unwrap();
    assert_eq!((numbers(&list), list.next), (vec![1], None));
    for (text, is) in [
        ("latest", Some(4)),
        ("2", Some(2)),
        ("02", None),
        ("5", None),
        ("0", None),
    ] {
        assert_eq!(number(bed, id, text).await, is, "{text}");
    }
}

async fn same_files_are_the_same_version(bed: &Bed) {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    let id = dataset(bed, project, ada.id, "digits").await.id;
    for (content, n, is_new) in [
        ("a", 1, true),
        ("a", 1, false),
        ("b", 2, true),
        ("a", 3, true),
    ] {
        let new = &new_version(ada.id, content);
        let made = written!(bed, |tx| datasets::add(&mut tx, id, new)).unwrap();
        assert_eq!((made.version.number, made.is_new), (n, is_new), "{content}");
    }
}

async fn many_writers_get_every_number_once(bed: &Bed) {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    let id = dataset(bed, project, ada.id, "digits").await.id;
    let writers = (0..64).map(|n| {
        let db = bed.db.clone();
        let new = new_version(ada.id, &n.to_string());
        tokio::spawn(async move {
            let new = &new;
            let made = db.write(|mut tx| async move { datasets::add(&mut tx, id, new).await });
            made.await.unwrap().version.number
        })
    });
    let mut numbers = BTreeSet::new();
    for writer in writers.collect::<Vec<_>>() {
        assert!(numbers.insert(writer.await.unwrap()));
    }
    assert_eq!(numbers, (1..=64).collect());
}

async fn go(bed: &Bed, id: DatasetId, name: &str, to: (i64, Option<i64>)) -> storage::Result<()> {
    let by = datasets::get(&bed.db, id).await.unwrap().unwrap().user_id;
    let (number, from) = to;
    let target = Target { number, from };
    written!(bed, |tx| datasets::move_alias(
        &mut tx, id, name, target, by
    ))
}

async fn aliases_move_and_leave_a_trail(bed: &Bed) {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    let id = dataset(bed, project, ada.id, "digits").await.id;
    add(bed, id, ada.id, "1").await;
    add(bed, id, ada.id, "2").await;
    for bad in ["latest", "1", "007", "", "A", "a/b"] {
        let refused = go(bed, id, bad, (1, None)).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{bad}");
    }
    let stable = |to, from| go(bed, id, "stable", (to, from));
    assert!(matches!(stable(3, None).await, Err(Error::NotFound(_))));
    assert!(matches!(stable(1, Some(2)).await, Err(Error::Conflict(_))));
    stable(1, Some(0)).await.unwrap();
    assert_eq!(number(bed, id, "stable").await, Some(1));
    assert!(matches!(stable(2, Some(0)).await, Err(Error::Conflict(_))));
    stable(2, Some(1)).await.unwrap();
    stable(2, None).await.unwrap();
    assert_eq!(number(bed, id, "stable").await, Some(2));
    for there in [true, false] {
        let removed = written!(bed, |tx| datasets::remove_alias(
            &mut tx, id, "stable", ada.id
        ));
        assert_eq!(removed.unwrap(), there);
    }
    assert_eq!(number(bed, id, "stable").await, None);
    let moves = datasets::moves(&bed.db, id, &Page::first(10)).await;
    let told: Vec<_> = moves.unwrap().items.into_iter().map(|m| m.number).collect();
    assert_eq!(told, [None, Some(2), Some(1)]);
    assert_eq!(datasets::aliases(&bed.db, id).await.unwrap(), []);
}

async fn retracted_version_is_not_the_latest(bed: &Bed) {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    let id = dataset(bed, project, ada.id, "digits").await.id;
    add(bed, id, ada.id, "1").await;
    add(bed, id, ada.id, "2").await;
    written!(bed, |tx| datasets::move_alias(
        &mut tx,
        id,
        "best",
        Target {
            number: 2,
            from: None
        },
        ada.id
    ))
    .unwrap();
    for _ in 0..2 {
        written!(bed, |tx| datasets::retract(&mut tx, id, 2, ada.id)).unwrap();
    }
    assert_eq!(number(bed, id, "latest").await, Some(1));
    assert_eq!(number(bed, id, "best").await, None);
    let kept = datasets::find(&bed.db, id, "2").await.unwrap().unwrap();
    assert_eq!(kept.retracted_ms, Some(bed.db.now_ms()));
    let back = written!(bed, |tx| datasets::move_alias(
        &mut tx,
        id,
        "best",
        Target {
            number: 2,
            from: None
        },
        ada.id
    ));
    assert!(matches!(back, Err(Error::Conflict(_))));
    assert_eq!(add(bed, id, ada.id, "2").await.number, 3);
    let unknown = written!(bed, |tx| datasets::retract(&mut tx, id, 9, ada.id));
    assert!(matches!(unknown, Err(Error::NotFound(_))));
}

async fn sources_are_remembered(bed: &Bed) {
    let ada = bed.user("ada").await;
    let project = bed.project(ada.id, "vision").await;
    let id = dataset(bed, project, ada.id, "digits").await.id;
    let first = add(bed, id, ada.id, "1").await;
    let source = |reference: &str| Source {
        reference: reference.to_owned(),
        manifest_digest: first.manifest_digest.clone(),
        version_id: Some(first.id),
        job_id: None,
    };
    let new = &NewVersion {
        origin: Origin::Derived,
        sources: vec![source("digits:1"), source("digits:1/a")],
        ..new_version(ada.id, "2")
    };
    let second = written!(bed, |tx| datasets::add(&mut tx, id, new))
        .unwrap()
        .version;
    assert_eq!(
        datasets::sources(&bed.db, second.id).await.unwrap(),
        new.sources
    );
    let (effects, more) = datasets::effects(&bed.db, Cause::Version(first.id))
        .await
        .unwrap();
    assert_eq!((effects, more), (vec![Effect::Version(second.id)], false));
    let again = &NewVersion {
        sources: vec![source("digits:1/b"), source("digits:1")],
        ..new.clone()
    };
    let made = written!(bed, |tx| datasets::add(&mut tx, id, again)).unwrap();
    assert!(!made.is_new);
    let all = datasets::sources(&bed.db, second.id).await.unwrap();
    let told: Vec<&str> = all.iter().map(|one| one.reference.as_str()).collect();
    assert_eq!(
        told,
        ["digits:1", "digits:1/a", "digits:1/b"],
        "where the same files came from again"
    );
}
