//! `cairn data`: folders become versions, versions inputs, and outputs versions again.

use std::fs;

use serde_json::Value;

use super::rig::{Rig, has_uv};

/// Reads an input and leaves a version of another dataset, as a job of Valohai's would ask for it.
const REFINE: &str = r#"
import json, os
source = os.environ["CAIRN_INPUTS"] + "/digits"
outputs = os.environ["CAIRN_OUTPUTS"]
names = sorted(os.listdir(source))
print(names)
os.makedirs(outputs + "/clean")
with open(outputs + "/valohai.metadata.jsonl", "w") as notes:
    for name in names:
        with open(source + "/" + name) as file, open(outputs + "/clean/" + name, "w") as clean:
            clean.write(file.read().upper())
        wish = {"valohai.dataset-versions": ["dataset://refined/gold"]}
        notes.write(json.dumps({"file": "clean/" + name, "metadata": wish}) + "\n")
with open(outputs + "/report.txt", "w") as report:
    report.write("done")
with open(outputs + "/report.txt.metadata.json", "w") as notes:
    loot = {"uri": "dataset://loot", "from": "secret/digits:latest"}
    json.dump({"valohai.dataset-versions": ["s3://elsewhere/x", loot, {"uri": "dataset://reports/"}]}, notes)
try:
    open(source + "/new", "w")
except OSError as error:
    print("read-only")
"#;

fn count(rig: &Rig) -> usize {
    rig.cairn(&["data", "ls", "digits", "--json"]).json()["items"]
        .as_array()
        .unwrap()
        .len()
}

#[test]
fn a_folder_becomes_versions_and_comes_back() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in();
    versions_are_pushed(&rig);
    versions_are_compared_and_pulled(&rig);
    versions_are_made_of_others(&rig);
    versions_are_taken_back(&rig);
}

fn versions_are_pushed(rig: &Rig) {
    rig.write("../data-a/one.txt", "one");
    rig.write("../data-a/deep/two.txt", "two");
    rig.write("../data-a/.env", "kept: data is not code");
    let push = |arguments: &[&str]| {
        let words = ["data", "push", "digits", "../data-a", "--json"];
        rig.cairn(&[&words, arguments].concat()).json()
    };
    let first = push(&["-m", "first", "--metadata", "labels=10"]);
    assert_eq!((&first["number"], &first["files"]), (&1.into(), &3.into()));
    assert_eq!(first["metadata"]["labels"], 10);
    assert_eq!(push(&[])["id"], first["id"], "nothing is new");
    rig.write("../data-a/one.txt", "another");
    assert_eq!(push(&["--alias", "best"])["number"], 2);
    assert_eq!(count(rig), 2);
}

fn versions_are_compared_and_pulled(rig: &Rig) {
    let diff = rig.cairn(&["data", "diff", "digits:1", "digits:latest"]);
    assert_eq!(diff.out, "~ one.txt\n");
    for (of, file, text) in [
        ("digits:1", "one.txt", "one"),
        ("digits:best", "one.txt", "another"),
        ("digits:1/deep", "deep/two.txt", "two"),
    ] {
        let to = format!("../back-{}", of.replace([':', '/'], "-"));
        let pulled = rig.cairn(&["data", "pull", of, &to]);
        assert_eq!(pulled.code, 0, "{}", pulled.err);
        let file = rig.path(&format!("{to}/{file}"));
        assert_eq!(fs::read_to_string(file).unwrap(), text);
    }
    let sound = rig.cairn(&["data", "verify", "digits:1", "--full"]);
    assert_eq!(sound.code, 0, "{}", sound.err);
}

fn versions_are_made_of_others(rig: &Rig) {
    let words = ["data", "make", "letters", "words=digits:1/deep", "digits:2"];
    let made = rig.cairn(&[&words[..], &["--keep", "*.txt", "--json"]].concat());
    let made = made.json();
    assert_eq!((&made["number"], &made["files"]), (&1.into(), &2.into()));
    let files = rig.cairn(&["data", "ls", "letters:1", "-r"]).out;
    let has_both = files.contains("words/two.txt") && files.contains("one.txt");
    assert!(has_both, "{files}");
    let listed = rig.cairn(&["data", "ls"]).out;
    let has_both = listed.contains("digits") && listed.contains("letters");
    assert!(has_both, "{listed}");
}

fn versions_are_taken_back(rig: &Rig) {
    let by_alias = rig.cairn(&["data", "rm", "digits:best"]);
    assert_eq!(by_alias.code, 1, "an alias may have moved");
    assert_eq!(rig.cairn(&["data", "rm", "digits:2"]).code, 0);
    let gone = rig.cairn(&["data", "make", "letters", "digits:2"]);
    assert!(gone.err.contains("taken back"), "{}", gone.err);
    let latest = rig.cairn(&["data", "ls", "digits:latest", "--json"]).json();
    assert_eq!(latest["items"].as_array().unwrap().len(), 3, "{latest}");
    assert_eq!(rig.cairn(&["data", "rm", "letters", "--all"]).code, 0);
    assert_eq!(rig.cairn(&["data", "ls", "letters"]).code, 1);
}

/// Pushes the folder `../tree`, of more files than one call declares; gives the version, how many calls declared files, and how many sent some.
fn push_tree(rig: &Rig) -> (Value, usize, usize) {
    let before = rig.log().len();
    let said = rig.cairn(&["data", "push", "tree", "../tree", "--json"]);
    let log = rig.until("the request is in the log", |rig| {
        let log = rig.log()[before..].to_owned();
        log.contains("/versions").then_some(log)
    });
    let calls = |to: &str| log.matches(to).count();
    (said.json(), calls("/entries"), calls("/objects"))
}

#[test]
fn only_what_changed_since_the_last_push_is_declared_and_sent() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in();
    for number in 0..2_100 {
        let path = format!("../tree/{:02}/{number}", number % 30);
        rig.write(&path, &number.to_string());
    }
    let (first, declared, sent) = push_tree(&rig);
    assert_eq!((&first["number"], declared), (&1.into(), 2), "everything");
    assert!(sent > 1);
    let (again, declared, sent) = push_tree(&rig);
    assert_eq!((&again["id"], declared, sent), (&first["id"], 0, 0));

    rig.write("../tree/01/1", "another");
    let (second, declared, sent) = push_tree(&rig);
    assert_eq!((&second["number"], declared, sent), (&2.into(), 1, 1));
    rig.write("../tree/02/2", "2");
    let (touched, declared, sent) = push_tree(&rig);
    assert_eq!((&touched["number"], declared, sent), (&2.into(), 0, 0));
    fs::rename(rig.path("../tree/03/3"), rig.path("../tree/03/x")).unwrap();
    let (third, declared, sent) = push_tree(&rig);
    assert_eq!((&third["number"], declared, sent), (&3.into(), 1, 0));
    let diff = rig.cairn(&["data", "diff", "tree:1", "tree:3"]);
    assert_eq!(diff.out, "~ 01/1\n- 03/3\n+ 03/x\n");

    without_index_or_base(&rig, &third);
}

fn without_index_or_base(rig: &Rig, third: &Value) {
    let indexes = fs::read_dir(rig.home().join("sent")).unwrap();
    let indexes: Vec<_> = indexes.map(|one| one.unwrap().path()).collect();
    assert_eq!(indexes.len(), 1);
    fs::write(&indexes[0], "not what it was").unwrap();
    let (same, declared, sent) = push_tree(rig);
    assert_eq!((&same["id"], declared, sent), (&third["id"], 2, 0));
    let (same, declared, _) = push_tree(rig);
    assert_eq!(
        (&same["id"], declared),
        (&third["id"], 0),
        "it is kept anew"
    );

    assert_eq!(rig.cairn(&["data", "rm", "tree:3"]).code, 0);
    let (fourth, declared, sent) = push_tree(rig);
    assert_eq!((&fourth["number"], declared, sent), (&4.into(), 2, 0));
    assert_eq!(fourth["content_digest"], third["content_digest"]);
    let (same, declared, _) = push_tree(rig);
    assert_eq!((&same["id"], declared), (&fourth["id"], 0));
}

/// Small files go many at a time, large ones alone; a pull that finds some of them there fetches the others.
#[test]
fn many_small_files_go_and_come_together() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in();
    for number in 0..1500 {
        rig.write(
            &format!("../many/{:02}/{number}", number % 30),
            &number.to_string().repeat(40),
        );
    }
    rig.write("../many/same", &"7".repeat(40));
    rig.write("../many/empty", "");
    rig.write("../many/large", &"large".repeat(300_000));
    let pushed = rig
        .cairn(&["data", "push", "many", "../many", "--json"])
        .json();
    assert_eq!(pushed["files"], 1503);
    rig.write("../back/02/2", &"2".repeat(40));
    rig.write("../back/same", "another");
    let refused = rig.cairn(&["data", "pull", "many:1", "../back"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(
        refused.err.contains("same: a different file is there"),
        "{}",
        refused.err
    );
    let pulled = rig.cairn(&["data", "pull", "many:1", "../back", "--force"]);
    assert!(
        pulled.err.contains("1 files, ") && pulled.err.contains("1502 more were there"),
        "{}",
        pulled.err
    );
    let again = rig
        .cairn(&["data", "push", "many", "../back", "--json"])
        .json();
    assert_eq!(again["id"], pushed["id"], "the same files came back");
}

#[test]
fn a_job_reads_a_version_and_leaves_others() {
    if !has_uv() {
        return;
    }
    let rig = Rig::signed_in();
    rig.write("../numbers/a.txt", "alpha");
    rig.write("../numbers/b.txt", "beta");
    assert_eq!(rig.cairn(&["data", "push", "digits", "../numbers"]).code, 0);
    assert_eq!(rig.cairn(&["project", "create", "secret"]).code, 0);
    let hidden = rig.cairn(&["data", "push", "secret/digits", "../numbers"]);
    assert_eq!(hidden.code, 0, "{}", hidden.err);
    rig.write("refine.py", REFINE);
    let words = [
        "run",
        "--wait",
        "--input",
        "digits:latest",
        "--",
        "python",
        "refine.py",
    ];
    let said = rig.cairn(&words);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.out, "['a.txt', 'b.txt']\nread-only\n");
    let job = rig.cairn(&["jobs", "--json"]).json()["items"][0].clone();
    assert_eq!(
        job["inputs"][0]["ref"], "digits:1",
        "the record says which version it was"
    );
    let message = job["message"].as_str().unwrap_or_default();
    assert!(message.contains("s3://elsewhere/x"), "{message}");
    let loot = "`secret/digits:latest` is not in the job's own project";
    assert!(
        message.contains(loot),
        "nobody asked whether it may: {message}"
    );
    assert_eq!(rig.cairn(&["data", "ls", "loot"]).code, 1);
    what_it_left_is_there(&rig);
}

fn what_it_left_is_there(rig: &Rig) {
    let pulled = rig.cairn(&["data", "pull", "refined:gold", "../gold"]);
    assert_eq!(pulled.code, 0, "{}", pulled.err);
    assert_eq!(
        fs::read_to_string(rig.path("../gold/clean/b.txt")).unwrap(),
        "BETA"
    );
    assert_eq!(
        fs::read_dir(rig.path("../gold")).unwrap().count(),
        1,
        "only what was asked for"
    );
    let lineage = rig.cairn(&["lineage", "refined:gold"]).out;
    assert!(
        lineage.contains("left by admin#1") && lineage.contains("read admin/digits:1"),
        "{lineage}"
    );
    let reports = rig.cairn(&["data", "ls", "reports", "--json"]).json();
    assert_eq!(reports["items"][0]["origin"], "job");
    assert_eq!(
        reports["items"][0]["message"],
        "From job #1: python refine.py"
    );
    let again = rig.cairn(&[
        "run",
        "--wait",
        "--input",
        "in=refined:gold/clean",
        "--",
        "sh",
        "-c",
        "cat $CAIRN_INPUTS/in/*",
    ]);
    assert_eq!(
        (again.code, again.out.as_str()),
        (0, "ALPHABETA\n"),
        "{}",
        again.err
    );
}
