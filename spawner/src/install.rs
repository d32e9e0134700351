//! Puts a worker onto a container engine that is elsewhere, as a container of its own, and takes it away again. Knows no server and no machine's
//! record: what the worker is told, the caller says.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as Answer;
use bollard::models::{ContainerCreateBody, HostConfig, RestartPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::{
    BuildImageOptions, CreateContainerOptions, LogsOptionsBuilder, RemoveContainerOptions,
    UploadToContainerOptions,
};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use crate::docker::engine::chain;
use crate::images::engine::{failed, inspect};
use crate::{Error, Result, archive};

/// How long the engine may take for one answer.
const ANSWER_S: u64 = 120;
/// How long it may take until it first answers: a wrong address must not look like a slow one.
const REACH: Duration = Duration::from_secs(20);
/// How long a build may say nothing.
const SILENCE: Duration = Duration::from_mins(10);
/// Marks the containers, with the name of their machine.
const LABEL: &str = "cairn.worker";
/// How many of a worker's last lines are told.
const LINES: &str = "20";

/// An engine that is elsewhere.
pub struct Engine(Docker);

/// A worker to install.
pub struct Worker<'a> {
    /// What its machine is called.
    pub name: &'a str,
    /// Its folder on the engine's host: absolute, nobody else's.
    pub data: &'a Path,
    /// The program `cairn` and its static companion, to be copied into the folder.
    pub programs: [&'a Path; 2],
    /// Further files for the folder, which only root there may read: name and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// What `cairn` is called with.
    pub arguments: Vec<String>,
    /// An image of Debian, or one with `apt-get`, whose C library is no older than what `cairn` was built for.
    pub base: &'a str,
    /// Variables for the build of its image, such as proxies.
    pub variables: HashMap<String, String>,
}

impl Worker<'_> {
    /// What `cairn` and `cairn-inside` are in the folder.
    pub const PROGRAMS: [&'static str; 2] = ["bin/cairn", "bin/cairn-inside"];

    fn container(&self) -> String {
        container(self.name)
    }

    /// The container: with the host's network and processes, which is where the work is that it looks after, and with the one capability
    /// that the walls between runs take.
    fn request(&self, image: &str) -> ContainerCreateBody {
        let data = self.data.display();
        let program = self.data.join(Self::PROGRAMS[0]).display().to_string();
        let binds = [
            format!("{data}:{data}"),
            // The engine's socket, and the runtime folder, which the engine has to find at the same path.
            "/run:/run".to_owned(),
            // Cards are found by their files. None can be opened: the engine allows no devices.
            "/dev:/dev:ro".to_owned(),
        ];
        ContainerCreateBody {
            image: Some(image.to_owned()),
            user: Some("0:0".into()),
            entrypoint: Some(
                std::iter::once(program)
                    .chain(self.arguments.clone())
                    .collect(),
            ),
            cmd: Some(Vec::new()),
            labels: Some(HashMap::from([(LABEL.to_owned(), self.name.to_owned())])),
            host_config: Some(HostConfig {
                binds: Some(binds.to_vec()),
                network_mode: Some("host".into()),
                pid_mode: Some("host".into()),
                cap_add: Some(vec!["NET_ADMIN".into()]),
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                    maximum_retry_count: None,
                }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }
}

impl Engine {
    /// Reaches the engine at `unix:///PATH`, `ssh://[USER@]HOST` (by the `ssh` of this machine, and the `docker` command of that one), or
    /// `tcp://HOST:PORT` with the `ca.pem`, `cert.pem` and `key.pem` in `tls`.
    ///
    /// # Errors
    /// `Invalid` for another address, or one beyond this machine without certificates; `Unavailable` if nobody answers.
    pub async fn connect(address: &str, tls: Option<&Path>) -> Result<Self> {
        let docker = open(address, tls)?;
        let reached = timeout(REACH, docker.negotiate_version()).await;
        let answer = reached.map_err(|_| {
            Error::unavailable(
                format!("the engine at {address} does not answer"),
                io::ErrorKind::TimedOut.into(),
            )
        })?;
        answer.map(Self).map_err(|error| Error::Unavailable {
            message: format!(
                "the engine at {address} cannot be reached: {}",
                chain(&error)
            ),
            source: None,
        })
    }

    /// Installs and starts a worker; `say` hears of each step. Leaves nothing on the engine but its image where it fails.
    ///
    /// # Errors
    /// `Conflict` if there is one for a machine of this name; `Build` if its image cannot be made.
    pub async fn install(&self, worker: &Worker<'_>, say: impl Fn(&str)) -> Result<()> {
        say("Making the worker's image");
        let image = self.image(worker).await?;
        let name = &worker.container();
        let options = CreateContainerOptions {
            name: Some(name.clone()),
            ..CreateContainerOptions::default()
        };
        match self
            .0
            .create_container(Some(options), worker.request(&image))
            .await
        {
            Ok(_) => {}
            Err(Answer::DockerResponseServerError {
                status_code: 409, ..
            }) => {
                return Err(Error::Conflict(format!(
                    "the engine has a container {name} already: remove it, or choose another name"
                )));
            }
            Err(error) => return Err(failed(error)),
        }
        say("Copying the programs");
        let begun = async {
            self.copy(worker).await?;
            self.0.start_container(name, None).await.map_err(failed)
        };
        let begun = begun.await;
        if begun.is_err() {
            self.uninstall(worker.name).await?;
        }
        begun
    }

    /// Ends and removes a worker's container, and with it what runs there. Its folder stays. Fine where there is none.
    pub async fn uninstall(&self, name: &str) -> Result<()> {
        let options = RemoveContainerOptions {
            force: true,
            v: true,
            link: false,
        };
        match self
            .0
            .remove_container(&container(name), Some(options))
            .await
        {
            Ok(())
            | Err(Answer::DockerResponseServerError {
                status_code: 404, ..
            }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// How often the engine has started a worker again after it ended by itself.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    pub async fn restarts(&self, name: &str) -> Result<i64> {
        let found = self.0.inspect_container(&container(name), None).await;
        Ok(found.map_err(failed)?.restart_count.unwrap_or_default())
    }

    /// The last lines that a worker has written.
    pub async fn last_words(&self, name: &str) -> String {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(LINES)
            .build();
        let lines = self.0.logs(&container(name), Some(options));
        let lines: Vec<String> = lines
            .filter_map(async |line| line.ok().map(|line| line.to_string()))
            .collect()
            .await;
        lines.concat()
    }

    /// The image that workers run in, built unless it is there: what the walls between runs and TLS take.
    async fn image(&self, worker: &Worker<'_>) -> Result<String> {
        let text = format!(
            "FROM {}\nRUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates iptables \
             && rm -rf /var/lib/apt/lists/*\n",
            worker.base
        );
        let digest = blake3::hash(text.as_bytes()).to_hex();
        let image = format!("cairn-worker:{}", &digest[..16]);
        if inspect(&self.0, &image).await?.is_some() {
            return Ok(image);
        }
        let options = BuildImageOptions {
            t: Some(image.clone()),
            rm: true,
            forcerm: true,
            buildargs: Some(worker.variables.clone()),
            // As the worker itself will be: what it reaches, the build reaches.
            networkmode: Some("host".into()),
            ..BuildImageOptions::default()
        };
        let (body, _) =
            archive::stream(move |tar| archive::file(tar, "Dockerfile", 0o644, text.as_bytes()));
        let body = bollard::body_try_stream(body);
        let mut news = std::pin::pin!(self.0.build_image(options, None, Some(body)));
        let mut last = String::new();
        let failure = |message: String| Error::Build {
            name: image.clone(),
            message,
        };
        loop {
            match timeout(SILENCE, news.next()).await {
                Ok(None) => return Ok(image.clone()),
                Ok(Some(Ok(info))) => {
                    if let Some(error) = info.error_detail.and_then(|detail| detail.message) {
                        return Err(failure(format!("{}\n{error}", last.trim())));
                    }
                    last = info.stream.unwrap_or(last);
                }
                Ok(Some(Err(Answer::DockerStreamError { error }))) => return Err(failure(error)),
                Ok(Some(Err(error))) => return Err(failed(error)),
                Err(_) => return Err(failure("the engine's builder is silent".to_owned())),
            }
        }
    }

    /// Fills the worker's folder.
    async fn copy(&self, worker: &Worker<'_>) -> Result<()> {
        let programs: Vec<(String, PathBuf)> = Worker::PROGRAMS
            .iter()
            .zip(worker.programs)
            .map(|(name, path)| ((*name).to_owned(), path.to_owned()))
            .collect();
        let files = worker.files.clone();
        let (body, sending) = archive::stream(move |tar| {
            for (name, path) in &programs {
                let mut header = tar::Header::new_gnu();
                let mut file = File::open(path)?;
                header.set_mode(0o755);
                header.set_size(file.metadata()?.len());
                tar.append_data(&mut header, name, &mut file)?;
            }
            for (name, bytes) in &files {
                archive::file(tar, name, 0o400, bytes)?;
            }
            Ok(())
        });
        let options = UploadToContainerOptions {
            path: worker.data.display().to_string(),
            ..UploadToContainerOptions::default()
        };
        let body = bollard::body_try_stream(body);
        let name = worker.container();
        let sent = self.0.upload_to_container(&name, Some(options), body).await;
        // Why it could not be sent says more than that it was not.
        if let Ok(Err(error)) = sending.await
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(Error::internal("the programs cannot be copied", error));
        }
        sent.map_err(failed)
    }
}

fn container(name: &str) -> String {
    format!("cairn-worker-{name}")
}

fn open(address: &str, tls: Option<&Path>) -> Result<Docker> {
    let invalid = |error: Answer| Error::Invalid(format!("{address} cannot be used: {error}"));
    let version = bollard::API_DEFAULT_VERSION;
    match address.split_once("://") {
        Some(("unix", path)) => Docker::connect_with_unix(path, ANSWER_S, version).map_err(invalid),
        // What bollard hands to `ssh` is the name of a host, nothing more.
        Some(("ssh", rest)) if rest.contains([':', '/']) => Err(Error::Invalid(format!(
            "{address} has more than a user and a host: name the host and its port in ~/.ssh/config, and give that name"
        ))),
        Some(("ssh", _)) => {
            Docker::connect_with_ssh(address, ANSWER_S, version, None).map_err(invalid)
        }
        Some(("tcp", rest)) => match tls {
            Some(folder) => {
                let file = |name: &str| folder.join(name);
                let (key, cert, ca) = (file("key.pem"), file("cert.pem"), file("ca.pem"));
                for file in [&key, &cert, &ca] {
                    std::fs::metadata(file).map_err(|error| {
                        Error::Invalid(format!("{} cannot be read: {error}", file.display()))
                    })?;
                }
                Docker::connect_with_ssl(address, &key, &cert, &ca, ANSWER_S, version)
                    .map_err(invalid)
            }
            None if is_loopback(rest) => {
                Docker::connect_with_http(address, ANSWER_S, version).map_err(invalid)
            }
            None => Err(Error::Invalid(format!(
                "whoever can reach {address} is root there: give the engine TLS, and the folder with ca.pem, cert.pem and key.pem here"
            ))),
        },
        _ => Err(Error::Invalid(format!(
            "{address} is no address of an engine: ssh://USER@HOST, tcp://HOST:PORT or unix:///PATH"
        ))),
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let ip: Result<std::net::IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_beyond_this_machine_need_certificates() {
        for bad in [
            "10.0.0.1:2375",
            "http://10.0.0.1",
            "tcp://10.0.0.1:2375",
            "ssh://ada@gpu-1:2222",
            "tcp://[2001:db8::1]:2375",
        ] {
            assert!(matches!(open(bad, None), Err(Error::Invalid(_))), "{bad}");
        }
        for good in ["tcp://127.0.0.1:2375", "tcp://[::1]:2375"] {
            assert!(open(good, None).is_ok(), "{good}");
        }
    }

    #[test]
    fn the_worker_gets_the_host_and_no_secret_is_shown() {
        let worker = Worker {
            name: "gpu-1",
            data: Path::new("/var/lib/cairn-worker/gpu-1"),
            programs: [Path::new("/a"), Path::new("/b")],
            files: vec![("token".to_owned(), b"needle".to_vec())],
            arguments: ["worker", "--url", "https://cairn.example.org"]
                .map(str::to_owned)
                .to_vec(),
            base: "debian:bookworm-slim",
            variables: HashMap::new(),
        };
        let request = serde_json::to_value(worker.request("cairn-worker:1")).expect("JSON");
        assert!(!request.to_string().contains("needle"));
        insta::with_settings!({sort_maps => true}, {
            insta::assert_json_snapshot!("worker", request);
        });
    }
}
