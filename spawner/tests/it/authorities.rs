//! A company's own certificate authority, given once: a real TLS server with a certificate of it, reached from work and from builds.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use spawner::environments::find_uv;
use spawner::images::{ImageSpec, Images, Options, Source};
use spawner::{EnvironmentSpec, Environments, authorities};

use crate::rig::Bench;

/// Serves a folder by https; prints its port.
const SERVER: &str = r"
import functools, http.server, ssl, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

/// What a job does: fetches a page.
const CLIENT: &str = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=60).read().decode())";

/// Makes a package and its index, without any tool of Python's.
const PACKAGE: &str = r"
import os, sys, zipfile
os.makedirs(sys.argv[1] + '/simple/cairn-test-package')
name = 'cairn_test_package-1.0-py3-none-any.whl'
with open(sys.argv[1] + '/simple/cairn-test-package/index.html', 'w') as page:
    page.write('<a href=%r>%s</a>' % (name, name))
with zipfile.ZipFile(sys.argv[1] + '/simple/cairn-test-package/' + name, 'w') as wheel:
    wheel.writestr('cairn_test_package.py', 'word = 42\n')
    info = 'cairn_test_package-1.0.dist-info/'
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: cairn-test-package\nVersion: 1.0\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(info + 'RECORD', 'cairn_test_package.py,,\n%sMETADATA,,\n%sWHEEL,,\n%sRECORD,,\n' % (info, info, info))
";

struct Company {
    folder: tempfile::TempDir,
    server: Child,
    url: String,
}

impl Drop for Company {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Company {
    /// None where this machine lacks `openssl` or `python3`; says so.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let www = folder.path().join("www");
        std::fs::create_dir(&www).unwrap();
        std::fs::write(www.join("page"), "from behind the company's TLS").unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let python = |code: &str, args: &[&str]| {
            let mut command = Command::new("python3");
            command.args(["-c", code]).args(args).stdout(Stdio::piped());
            command
        };
        let package = python(PACKAGE, &[&path("www")]).status();
        if !certify(folder.path()) || !package.is_ok_and(|s| s.success()) {
            eprintln!("skipped: no openssl or no python3 here");
            return None;
        }
        let mut server = python(SERVER, &[&path("www"), &path("cert"), &path("key")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = format!("https://127.0.0.1:{}", line.trim());
        Some(Self {
            folder,
            server,
            url,
        })
    }

    fn bundle(&self) -> PathBuf {
        let bundle = self.folder.path().join("bundle.crt");
        authorities::merge(&self.folder.path().join("ca.pem"), &bundle).unwrap();
        bundle
    }
}

/// Makes an authority, `ca.pem`, and a server's `key` and `cert` of it.
fn certify(folder: &Path) -> bool {
    let path = |name: &str| folder.join(name).display().to_string();
    let names = "subjectAltName=IP:127.0.0.1,DNS:localhost\n";
    std::fs::write(path("names"), names).unwrap();
    let openssl = |words: &str, files: &[(&str, &str)]| {
        let mut command = Command::new("openssl");
        command.args(words.split(' '));
        for (option, file) in files {
            command.args([(*option).to_owned(), path(file)]);
        }
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
    };
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Company",
        &[("-keyout", "ca.key"), ("-out", "ca.pem")],
    ) && openssl(
        "req -newkey rsa:2048 -nodes -subj /CN=localhost",
        &[("-keyout", "key"), ("-out", "ask")],
    ) && openssl(
        "x509 -req -days 2 -CAcreateserial",
        &[
            ("-in", "ask"),
            ("-CA", "ca.pem"),
            ("-CAkey", "ca.key"),
            ("-extfile", "names"),
            ("-out", "cert"),
        ],
    )
}

fn uv() -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let given = std::env::var_os("CAIRN_TEST_UV").map(PathBuf::from);
    given.or_else(|| find_uv(Path::new("/usr/local/bin"), &path, home.as_deref()))
}

/// Runs a job that fetches the page, in an environment; gives its exit code and what it printed.
async fn fetch(
    bench: &Bench,
    environment: &spawner::Environment,
    url: &str,
) -> (Option<i32>, String) {
    let python = environment.path.join("bin/python");
    let mut spec = bench.command(
        "job",
        &[
            python.to_str().unwrap(),
            "-c",
            CLIENT,
            &format!("{url}/page"),
        ],
    );
    spec.mounts.extend(environment.mounts.clone());
    spec.env.extend(environment.env.clone());
    let handle = bench.start(spec).await;
    let status = bench.until(&handle, |s| s.exit.is_some()).await;
    let log = bench.output(&handle).await;
    bench.runtime.remove(&handle).await.unwrap();
    (status.exit.unwrap().code, log)
}

#[tokio::test]
async fn a_job_reaches_what_only_the_company_vouches_for() {
    let (Some(uv), Some(company)) = (uv(), Company::new()) else {
        return;
    };
    for bench in [Bench::new(true), Bench::new(false)] {
        let spec = EnvironmentSpec::default();
        let plain = Environments::new(bench.rig.folder.join("environments"), &uv);
        let (code, log) = fetch(&bench, &plain.ensure(&spec).await.unwrap(), &company.url).await;
        assert_ne!(
            code,
            Some(0),
            "without the authority nobody should be trusted"
        );
        assert!(log.contains("CERTIFICATE_VERIFY_FAILED"), "{log}");
        let bundle = bench.rig.folder.join("bundle.crt");
        std::fs::copy(company.bundle(), &bundle).unwrap();
        let trusting = plain.clone().with_authorities(&bundle);
        let environment = trusting.ensure(&spec).await.unwrap();
        let (code, log) = fetch(&bench, &environment, &company.url).await;
        assert_eq!(
            (code, log.contains("from behind")),
            (Some(0), true),
            "{log}"
        );
    }
}

#[tokio::test]
async fn an_image_is_built_from_an_index_that_only_the_company_vouches_for() {
    let (Ok(engine), Some(company)) = (std::env::var("CAIRN_TEST_DOCKER"), Company::new()) else {
        eprintln!("skipped: CAIRN_TEST_DOCKER names no Docker engine");
        return;
    };
    let socket = engine.strip_prefix("unix://").expect("unix://…");
    let images = |authorities: Option<PathBuf>| {
        let options = Options {
            authorities,
            network: Some("host".into()),
            ..Options::default()
        };
        Images::new(socket, company.folder.path().join("environments"), options)
    };
    let spec = ImageSpec {
        source: Source::Requirements {
            base: "debian:bookworm-slim".into(),
            text: format!("--index-url {}/simple\ncairn-test-package", company.url),
        },
        allowed: None,
    };
    images(None).ensure("test", None, &spec).await.unwrap_err();
    let image = images(Some(company.bundle()))
        .ensure("test", None, &spec)
        .await
        .unwrap();
    let docker = |args: &[&str]| {
        let output = Command::new("docker")
            .args(["-H", &engine])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let code = "import cairn_test_package as p; print(p.word)";
    let said = docker(&[
        "run",
        "--rm",
        "--network=none",
        "--entrypoint=python3",
        &image.id,
        "-c",
        code,
    ]);
    assert_eq!(said, "42\n");
    // The authority served the build and is not in the image.
    let said = docker(&[
        "run",
        "--rm",
        "--network=none",
        "--entrypoint=sh",
        &image.id,
        "-c",
        "ls /cairn-build /cairn 2>&1 | grep -c 'No such'",
    ]);
    assert_eq!(said, "2\n");
    docker(&["rmi", "--force", &image.id]);
}
