use super::*;

fn load(text: &str) -> Result<Config> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("cairn.toml"), text).expect("written");
    Config::load(None, folder.path(), None)
}

#[test]
fn defaults_need_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::load(None, folder.path(), None).expect("loads");
    assert_eq!(
        config.public_url().expect("a URL").as_str(),
        "http://localhost:8000/"
    );
    assert!(
        config
            .database_url(folder.path())
            .expect("a URL")
            .starts_with("sqlite:")
    );
}

#[test]
fn a_misspelt_key_is_refused_by_name() {
    let error = format!(
        "{:#}",
        load("lisetn = \"127.0.0.1:1\"").expect_err("refused")
    );
    assert!(error.contains("lisetn"), "{error}");
}

#[test]
fn open_listeners_need_https_or_a_plain_word() {
    let error = format!(
        "{:#}",
        load("listen = \"0.0.0.0:8000\"").expect_err("refused")
    );
    assert!(error.contains("insecure_http"), "{error}");
    load("listen = \"0.0.0.0:8000\"\ninsecure_http = true").expect("said so");
    load("listen = \"0.0.0.0:8000\"\npublic_url = \"https://cairn.example.org\"")
        .expect("behind a proxy");
}

#[test]
fn an_environment_has_exactly_one_form() {
    let config = load("[environments.default]\nimage = \"x\"").expect("one");
    assert!(config.environments["default"].packages.is_none());
    assert!(
        load("").expect("usual").environments["default"]
            .packages
            .is_some()
    );
    for text in [
        "python = \"3.12\"",
        "image = \"x\"\npackages = []",
        "image = \"x\"\nbase = \"y\"",
    ] {
        let text = format!("[environments.x]\n{text}");
        let error = load(&text).expect_err("refused").to_string();
        assert!(error.contains("environments.x"), "{error}");
    }
}

#[test]
fn what_may_be_adopted_is_never_what_is_stored() {
    let keys = "bucket = \"lab\"\naccess_key_id = \"x\"\nsecret_access_key = \"y\"\n";
    let with = |own: &str, theirs: &str| {
        let own = format!("[s3]\n{keys}prefix = {own:?}\n");
        load(&format!("{own}[buckets.lab]\n{keys}prefix = {theirs:?}"))
    };
    let config = with("cairn/", "data/").expect("they lie beside each other");
    assert_eq!(config.adoptable()[0].prefix, "data/");
    assert!(
        config.kept_in().expect("opens").others["lab"]
            .prefix()
            .is_empty()
    );
    for (own, theirs) in [("cairn/", ""), ("", "data/"), ("cairn/", "cairn/v1/")] {
        let error = with(own, theirs).expect_err("refused").to_string();
        assert!(error.contains("buckets.lab"), "{error}");
    }
    for wrong in ["", "bucket = \"lab\"\nprefix = \"data\""] {
        let text = format!("[buckets.lab]\n{wrong}");
        let error = load(&text).expect_err("refused").to_string();
        assert!(error.contains("buckets.lab"), "{error}");
    }
}

#[test]
fn half_of_tls_is_refused() {
    load("tls_key = \"/x\"").expect_err("refused");
}
