//! Parts of manifests, put together.

use std::fs;

use super::*;
use crate::capture::testing::Fixture;
use crate::{manifest, outputs};

async fn made(here: &Fixture, files: &[(&str, &str)]) -> Hash {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let captured = outputs::capture(&here.store, here.project, folder.path());
    let captured = captured.await.unwrap().commit(&here.store).await.unwrap();
    captured.summary.manifest_digest
}

async fn told(here: &Fixture, parts: Vec<Part>, clash: Clash) -> Result<Vec<String>> {
    let pending = compose(&here.store, here.project, parts, clash).await?;
    let digest = pending.commit(&here.store).await?.summary.manifest_digest;
    let manifest = Manifest::open(here.store.objects().clone(), &digest)?.unwrap();
    let mut lines = Vec::new();
    for entry in manifest.entries() {
        let path = entry?.path;
        let content = manifest::read(&here.store, digest, &path, None).await?;
        let text = content.unwrap().collect().await?;
        lines.push(format!("{path}={}", String::from_utf8(text).unwrap()));
    }
    Ok(lines)
}

fn part(digest: Hash, from: Option<&str>, to: Option<&str>) -> Part {
    Part {
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
        ..Part::whole(digest)
    }
}

#[tokio::test]
async fn parts_are_chosen_renamed_and_merged() {
    let here = Fixture::new().await;
    let base = made(
        &here,
        &[
            ("a-b", "0"),
            ("a/x.csv", "1"),
            ("a/y.txt", "2"),
            ("b", "3"),
            ("c/d/e.csv", "4"),
        ],
    )
    .await;
    let whole = told(&here, vec![Part::whole(base)], Clash::Refuse)
        .await
        .unwrap();
    assert_eq!(
        whole,
        ["a-b=0", "a/x.csv=1", "a/y.txt=2", "b=3", "c/d/e.csv=4"]
    );
    let folder = told(&here, vec![part(base, Some("a"), None)], Clash::Refuse).await;
    assert_eq!(folder.unwrap(), ["x.csv=1", "y.txt=2"]);
    let file = told(
        &here,
        vec![part(base, Some("b"), Some("n/m"))],
        Clash::Refuse,
    )
    .await;
    assert_eq!(file.unwrap(), ["n/m=3"]);
    let chosen = Part {
        keep: vec!["**/*.csv".to_owned()],
        drop: vec!["a/*".to_owned()],
        ..part(base, None, Some("all"))
    };
    let chosen = told(&here, vec![chosen], Clash::Refuse).await.unwrap();
    assert_eq!(chosen, ["all/c/d/e.csv=4"]);
    let both = vec![
        part(base, Some("c"), Some("a")),
        part(base, Some("a"), Some("z")),
    ];
    let both = told(&here, both, Clash::Refuse).await.unwrap();
    assert_eq!(both, ["a/d/e.csv=4", "z/x.csv=1", "z/y.txt=2"]);
    assert_eq!(
        told(&here, Vec::new(), Clash::Refuse).await.unwrap(),
        [""; 0]
    );
}

#[tokio::test]
async fn clashes_are_refused_or_settled() {
    let here = Fixture::new().await;
    let one = made(&here, &[("same", "s"), ("x", "1"), ("y", "1")]).await;
    let two = made(&here, &[("same", "s"), ("x", "2"), ("z", "2")]).await;
    let parts = || vec![Part::whole(one), Part::whole(two)];
    let refused = told(&here, parts(), Clash::Refuse).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Conflict(text) if text.contains("\"x\"")),
        "{refused}"
    );
    let first = told(&here, parts(), Clash::First).await.unwrap();
    assert_eq!(first, ["same=s", "x=1", "y=1", "z=2"]);
    let last = told(&here, parts(), Clash::Last).await.unwrap();
    assert_eq!(last, ["same=s", "x=2", "y=1", "z=2"]);
    let three = made(&here, &[("x/y", "3")]).await;
    let parts = vec![Part::whole(one), Part::whole(three)];
    let both = told(&here, parts, Clash::Last).await.unwrap_err();
    assert!(matches!(both, Error::Invalid(_)), "{both}");
}

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_read_is_told() {
    let here = Fixture::new().await;
    let base = made(&here, &[("a/b", "1"), ("a.c", "2")]).await;
    for from in ["b", "a/c", "a/b/c", "A"] {
        let error = told(&here, vec![part(base, Some(from), None)], Clash::Last).await;
        assert!(
            matches!(error, Err(Error::NotFound(_))),
            "{from}: {error:?}"
        );
    }
    for (from, to) in [("../a", "x"), ("a", "../x"), ("a", "/x"), ("a//b", "x")] {
        let error = told(&here, vec![part(base, Some(from), Some(to))], Clash::Last).await;
        assert!(matches!(error, Err(Error::Invalid(_))), "{from}: {error:?}");
    }
    let deep = format!("{}{}", "{".repeat(300), "}".repeat(300));
    for pattern in ["[".to_owned(), deep, "a".repeat(2000)] {
        let bad = Part {
            keep: vec![pattern],
            ..Part::whole(base)
        };
        let error = told(&here, vec![bad], Clash::Last).await;
        assert!(matches!(error, Err(Error::Invalid(_))), "{error:?}");
    }
}
