//! Images had of a real Docker engine: `CAIRN_TEST_DOCKER`, such as `unix:///run/docker.sock`; skipped without.
//!
//! Builds install from a real package index, as `debian:bookworm-slim` with Python (deploy/testbed/docker.sh makes one) lets them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::query_parameters::{ListImagesOptions, RemoveImageOptions};
use serde_json::json;
use spawner::environments::State;
use spawner::images::{Image, ImageSpec, Images, Options, Source};
use spawner::{Error, authorities};
use tempfile::TempDir;

const BASE: &str = "debian:bookworm-slim";

struct Bed {
    folder: TempDir,
    socket: PathBuf,
    images: Images,
}

impl Bed {
    fn new() -> Option<Self> {
        let Ok(address) = std::env::var("CAIRN_TEST_DOCKER") else {
            eprintln!("skipped: CAIRN_TEST_DOCKER names no Docker engine");
            return None;
        };
        let socket = PathBuf::from(address.strip_prefix("unix://").expect("unix://…"));
        let folder = tempfile::tempdir().unwrap();
        let images = images(&socket, folder.path(), false);
        Some(Self {
            folder,
            socket,
            images,
        })
    }

    async fn docker(&self) -> Docker {
        let path = self.socket.to_str().unwrap();
        let docker = Docker::connect_with_unix(path, 120, bollard::API_DEFAULT_VERSION).unwrap();
        docker.negotiate_version().await.unwrap()
    }

    async fn ensure(&self, source: Source) -> spawner::Result<Image> {
        self.images.ensure("test", None, &spec(source)).await
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join("src").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn log(&self, source: &Source) -> String {
        let key = self
            .images
            .key("test", None, &spec(source.clone()))
            .await
            .unwrap();
        std::fs::read_to_string(self.images.log_path(&key)).unwrap_or_default()
    }

    /// What a program in the image prints.
    fn run(&self, image: &Image, script: &str) -> String {
        let output = std::process::Command::new("docker")
            .arg("-H")
            .arg(format!("unix://{}", self.socket.display()))
            .args([
                "run",
                "--rm",
                "--network=none",
                "--user=4321:4321",
                "--entrypoint=/bin/sh",
                &image.id,
                "-c",
                script,
            ])
            .output()
            .unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    async fn forget(&self, image: &Image) {
        let options = RemoveImageOptions {
            force: true,
            ..RemoveImageOptions::default()
        };
        self.docker()
            .await
            .remove_image(&image.id, Some(options), None)
            .await
            .unwrap();
    }

    /// Images without a name that a build of this label left.
    async fn leftovers(&self, label: &str) -> usize {
        let filters = HashMap::from([
            ("dangling".to_owned(), vec!["true".to_owned()]),
            ("label".to_owned(), vec![label.to_owned()]),
        ]);
        let options = ListImagesOptions {
            filters: Some(filters),
            ..ListImagesOptions::default()
        };
        self.docker()
            .await
            .list_images(Some(options))
            .await
            .unwrap()
            .len()
    }

    /// An image with nothing in it, for a kind of processor.
    fn empty(&self, tag: &str, architecture: &str) -> String {
        let name = format!("cairn-test:{tag}");
        let config = json!({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}});
        let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": []}]);
        let archive = self.folder.path().join("image.tar");
        let mut tar = tar::Builder::new(std::fs::File::create(&archive).unwrap());
        for (path, value) in [("config.json", config), ("manifest.json", manifest)] {
            let text = value.to_string();
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap();
        let engine = format!("unix://{}", self.socket.display());
        let status = std::process::Command::new("docker")
            .args(["-H", &engine, "load", "--quiet", "--input"])
            .arg(archive)
            .status();
        assert!(status.unwrap().success());
        name
    }
}

fn images(socket: &Path, folder: &Path, pull: bool) -> Images {
    let bundle = folder.join("ca-certificates.crt");
    let system = Path::new("/etc/ssl/certs/ca-certificates.crt");
    let trusts = system.exists() && authorities::merge(system, &bundle).is_ok();
    let variables = ["PIP_INDEX_URL", "https_proxy", "http_proxy"];
    let options = Options {
        base: BASE.into(),
        pull,
        authorities: trusts.then_some(bundle),
        variables: variables
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
            .chain([("UV_HTTP_TIMEOUT".to_owned(), "120".to_owned())])
            .collect::<BTreeMap<_, _>>(),
        network: None,
    };
    Images::new(socket, folder.join("environments"), options)
}

fn spec(source: Source) -> ImageSpec {
    ImageSpec {
        source,
        allowed: None,
    }
}

fn requirements(text: &str) -> Source {
    Source::Requirements {
        base: BASE.into(),
        text: text.into(),
    }
}

fn named(name: &str) -> Source {
    Source::Image(name.into())
}

#[tokio::test]
async fn an_image_is_asked_what_it_offers() {
    let Some(bed) = Bed::new() else { return };
    let plain = bed.ensure(named(BASE)).await.unwrap();
    assert!(plain.id.starts_with("sha256:"));
    let python = plain.python.expect("Python");
    assert!(python.version.starts_with("3.") && python.jupyterlab.is_none());
    assert_eq!(
        bed.images
            .state("test", None, &spec(named(BASE)))
            .await
            .unwrap(),
        State::Ready
    );
    // By its id as well, and without being asked again.
    assert_eq!(bed.ensure(named(&plain.id)).await.unwrap().id, plain.id);
    // deploy/testbed/images.sh builds it.
    match bed.ensure(named("cairn/base")).await {
        Ok(base) => {
            let python = base.python.expect("Python");
            assert_eq!(python.prefix, Path::new("/opt/cairn"));
            assert!(python.jupyterlab.is_some_and(|v| v.starts_with("4.6")));
            assert!(base.env["PATH"].starts_with("/opt/cairn/bin:"));
        }
        Err(error) => eprintln!("skipped: {error}"),
    }
}

#[tokio::test]
async fn an_image_without_anything_in_it_offers_nothing() {
    let Some(bed) = Bed::new() else { return };
    let ours = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let name = bed.empty("empty", ours);
    assert!(bed.ensure(named(&name)).await.unwrap().python.is_none());
}

#[tokio::test]
async fn an_image_for_another_processor_is_refused() {
    let Some(bed) = Bed::new() else { return };
    let name = bed.empty("foreign", "s390x");
    let error = bed.ensure(named(&name)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Invalid(m) if m.contains("another kind of processor: s390x")),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_image_that_is_nowhere_is_not_found() {
    let Some(bed) = Bed::new() else { return };
    let source = named("127.0.0.1:1/nobody/has-this:1");
    assert_eq!(
        bed.images
            .state("test", None, &spec(source.clone()))
            .await
            .unwrap(),
        State::Missing
    );
    let error = bed.ensure(source.clone()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    // Where it may be fetched, the registry's answer is told, here and in the log.
    let pulling = images(&bed.socket, bed.folder.path(), true);
    let error = pulling
        .ensure("test", None, &spec(source.clone()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error:?}");
    let log = bed.log(&source).await;
    assert!(
        log.starts_with("Fetching 127.0.0.1:1/nobody/has-this:1\n"),
        "{log}"
    );
    assert!(matches!(
        bed.images.state("test", None, &spec(source)).await.unwrap(),
        State::Failed(_)
    ));
}

#[tokio::test]
async fn an_engine_that_is_not_there_may_be_there_later() {
    let folder = tempfile::tempdir().unwrap();
    let images = images(&folder.path().join("nothing.sock"), folder.path(), false);
    let error = images
        .ensure("test", None, &spec(named(BASE)))
        .await
        .unwrap_err();
    assert!(error.retryable(), "{error:?}");
}

#[tokio::test]
async fn requirements_are_installed_once_and_nothing_of_the_build_is_in_the_image() {
    let Some(bed) = Bed::new() else { return };
    let source = requirements("six==1.17.0\n--prefer-binary\n");
    let other = images(&bed.socket, bed.folder.path(), false);
    let wanted = spec(source.clone());
    let (one, two) = tokio::join!(
        bed.images.ensure("test", None, &wanted),
        other.ensure("test", None, &wanted)
    );
    let one = one.unwrap();
    assert_eq!(one, two.unwrap());
    assert_eq!(
        bed.run(&one, "python3 -c 'import six; print(six.__version__)'"),
        "1.17.0\n"
    );
    assert_eq!(bed.run(&one, "ls -d /cairn* /root/.cache 2>/dev/null"), "");
    let history = bed.docker().await.image_history(&one.id).await.unwrap();
    assert!(
        history
            .iter()
            .all(|step| !step.created_by.contains("UV_HTTP_TIMEOUT"))
    );
    assert_eq!(
        bed.images.state("test", None, &wanted).await.unwrap(),
        State::Ready
    );
    assert!(bed.log(&source).await.ends_with("Ready.\n"));
    assert!(bed.log(&source).await.matches("Building test as").count() <= 1);
}

#[tokio::test]
async fn a_failed_build_leaves_only_its_log() {
    let Some(bed) = Bed::new() else { return };
    let source = requirements("six==99.99.99\n");
    let error = bed.ensure(source.clone()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Build { message, .. } if message.contains("six")),
        "{error:?}"
    );
    let log = bed.log(&source).await;
    let tag = log
        .split("cairn-env:")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    assert_eq!(bed.leftovers(&format!("cairn.environment={tag}")).await, 0);
    let state = bed.images.state("test", None, &spec(source)).await.unwrap();
    assert!(
        matches!(&state, State::Failed(tail) if tail.contains("six")),
        "{state:?}"
    );
}

#[tokio::test]
async fn environment_yml_says_which_python_and_which_packages() {
    let Some(bed) = Bed::new() else { return };
    let conda = |version: &str| Source::Conda {
        base: BASE.into(),
        text: format!("dependencies:\n  - python={version}\n  - pip:\n    - six==1.16.0\n"),
    };
    let has = bed
        .ensure(named(BASE))
        .await
        .unwrap()
        .python
        .unwrap()
        .version;
    let image = bed
        .ensure(conda(has.rsplit_once('.').unwrap().0))
        .await
        .unwrap();
    assert_eq!(
        bed.run(&image, "python3 -c 'import six; print(six.__version__)'"),
        "1.16.0\n"
    );
    let error = bed.ensure(conda("3.1")).await.unwrap_err();
    assert!(
        matches!(&error, Error::Invalid(m) if m.contains("wants Python 3.1")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_dockerfile_is_carried_out_once_for_each_content() {
    let Some(bed) = Bed::new() else { return };
    let unique = bed.folder.path().display();
    let path = bed.write(
        "Dockerfile",
        &format!("FROM {BASE} AS one\nRUN echo {unique} >/made\nFROM one\nCOPY src/ /src/\n"),
    );
    bed.write("src/hello.txt", "hello");
    let first = bed.ensure(Source::Dockerfile(path.clone())).await.unwrap();
    assert_eq!(
        bed.run(&first, "cat /made /src/hello.txt"),
        format!("{unique}\nhello")
    );
    assert_eq!(
        bed.ensure(Source::Dockerfile(path.clone()))
            .await
            .unwrap()
            .id,
        first.id
    );
    bed.write("src/hello.txt", "bye");
    let second = bed.ensure(Source::Dockerfile(path)).await.unwrap();
    assert_eq!(bed.run(&second, "cat /src/hello.txt"), "bye");
    assert_ne!(first.id, second.id);
    bed.forget(&first).await;
    bed.forget(&second).await;
}

#[tokio::test]
async fn a_dockerfile_that_fails_leaves_no_image() {
    let Some(bed) = Bed::new() else { return };
    let path = bed.write(
        "Dockerfile",
        &format!("FROM {BASE}\nRUN echo step one\nRUN echo the reason >&2; exit 3\n"),
    );
    let error = bed
        .ensure(Source::Dockerfile(path.clone()))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Build { message, .. } if message.contains("the reason") && message.contains('3')),
        "{error:?}"
    );
    let log = bed.log(&Source::Dockerfile(path)).await;
    let tag = log
        .split("cairn-env:")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    assert_eq!(bed.leftovers(&format!("cairn.environment={tag}")).await, 0);
}

#[tokio::test]
async fn a_build_goes_on_when_nobody_waits_for_it() {
    let Some(bed) = Bed::new() else { return };
    let unique = bed.folder.path().display();
    let path = bed.write(
        "Dockerfile",
        &format!("FROM {BASE}\nRUN echo {unique} >/made; sleep 1\n"),
    );
    let wanted = spec(Source::Dockerfile(path));
    {
        let mut ensuring = std::pin::pin!(bed.images.ensure("test", None, &wanted));
        let building = async {
            while bed.images.state("test", None, &wanted).await.unwrap() == State::Missing {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::select! { _ = &mut ensuring => panic!("too fast"), () = building => {} }
    }
    assert_eq!(
        bed.images.state("test", None, &wanted).await.unwrap(),
        State::Building
    );
    let image = bed.images.ensure("test", None, &wanted).await.unwrap();
    assert_eq!(bed.run(&image, "cat /made"), format!("{unique}\n"));
    bed.forget(&image).await;
}
