//! What is in a backup comes back.

use super::*;
use crate::fsck;

async fn assert_same(from: &Store, to: &Store) {
    assert_eq!(records(from).await, records(to).await);
    assert_sound(to).await;
    let report = fsck::check(to, fsck::Mode::Full).await.unwrap();
    assert_eq!(report.orphaned_objects, 0);
    for content in ["a", "c", ""] {
        assert!(has(to, content));
    }
}

#[tokio::test]
async fn a_restored_backup_is_the_same() {
    let fixture = filled().await;
    let (bytes, written) = backup(&fixture.store).await;
    assert_eq!((written.totals.objects, written.totals.lost), (4, 0));
    let place = tempfile::tempdir().unwrap();
    let (restored, store) = restore_into(bytes, place.path()).await.unwrap();
    assert_same(&fixture.store, &store).await;
    assert_eq!(restored.totals.unwrap().digest, written.totals.digest);
    // And can be collected: the store and the database are each other's.
    crate::gc::tests::cycle(&store).await;
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_packed_one_is_too() {
    let fixture = filled().await;
    let memory = Memory::default();
    let options = Options {
        packed: true,
        ..Options::default()
    };
    let out = Box::new(memory.clone());
    let written = write(&fixture.store, out, options, unwatched());
    written.await.unwrap();
    let bytes = memory.bytes();
    assert!(bytes.len() < large().len() / 2);
    let place = tempfile::tempdir().unwrap();
    let (_, store) = restore_into(bytes.clone(), place.path()).await.unwrap();
    assert_same(&fixture.store, &store).await;
    for length in [bytes.len() / 3, bytes.len() - 1] {
        let place = tempfile::tempdir().unwrap();
        let done = restore_into(bytes[..length].to_vec(), place.path()).await;
        let why = refusal(done);
        assert!(
            why.contains("cut short") || why.contains("the beginning of one"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn there_and_back_between_the_two_databases_nothing_changes() {
    let first = Fixture::sqlite().await;
    fill(&first).await;
    let (bytes, _) = backup(&first.store).await;
    // On PostgreSQL where a server is named.
    let second = Fixture::empty().await;
    let place = second.folder("restored");
    let (_, moved) = restore_to(bytes, &place, second.url().to_owned())
        .await
        .unwrap();
    assert_same(&first.store, &moved).await;
    let (bytes, _) = backup(&moved).await;
    let third = tempfile::tempdir().unwrap();
    let (_, back) = restore_into(bytes, third.path()).await.unwrap();
    assert_same(&first.store, &back).await;
}

#[tokio::test]
async fn any_tar_reads_it_and_b3sum_can_check_it() {
    let fixture = filled().await;
    let (bytes, written) = backup(&fixture.store).await;
    let mut archive = tar::Archive::new(&*bytes);
    let (mut lines, mut names) = (String::new(), Vec::new());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        if name != END {
            use std::fmt::Write as _;
            let hash = Hash::of(&content);
            writeln!(lines, "{hash}  {name}").unwrap();
        }
        names.push(name);
    }
    assert_eq!(Hash::of(lines.as_bytes()), written.totals.digest);
    let (first, last) = (names.first().unwrap(), names.last().unwrap());
    assert_eq!((first.as_str(), last.as_str()), (HEADER, END));
    let place = place("objects", &Hash::of(b"a"));
    assert!(names.contains(&place) && names.contains(&"database/users.jsonl".to_owned()));
}

#[tokio::test]
async fn secrets_of_sign_ins_are_not_in_it() {
    let fixture = filled().await;
    let user = fixture.user;
    let work = |mut tx: Tx| async move {
        let code = crate::links::create_sign_in(&mut tx, user, 60_000).await?;
        Ok(code.expose().to_owned())
    };
    let code = fixture.store.db().write(work).await.unwrap();
    let (bytes, _) = backup(&fixture.store).await;
    for secret in [code.clone(), crate::secret::hash(&code)] {
        let found = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found);
    }
}
