//! What lies one step from a node.

use storage::{
    datasets::{self, Dataset, Reader, Version},
    ids::ProjectId,
    jobs::{self, Job},
    objects::Hash,
    projects,
    workspaces::{self, Input},
};

use super::{Direction, Edge, How, Key, Node};
use crate::{Control, Result, inputs::Of, reference::Reference};

type Found = Vec<(Edge, Direction)>;

impl Control {
    /// The record of a node; none where it is gone.
    pub(super) async fn node(&self, key: Key) -> Result<Option<Node>> {
        let db = self.db();
        Ok(match key {
            Key::Job(id) => jobs::get(db, id).await?.map(Box::new).map(Node::Job),
            Key::Workspace(id) => {
                let found = workspaces::get(db, id).await?;
                found.map(Box::new).map(Node::Workspace)
            }
            Key::Version(id) => match datasets::version(db, id).await? {
                Some(version) => {
                    let dataset = datasets::get(db, version.dataset_id).await?;
                    dataset.map(|dataset| Node::Version(Box::new((dataset, version))))
                }
                None => None,
            },
        })
    }

    /// The edges at a node, each with the direction in which its other end is followed.
    pub(super) async fn neighbours(&self, node: &Node, direction: Direction) -> Result<Found> {
        let mut found = Vec::new();
        if direction != Direction::Forth {
            let edges = match node {
                Node::Version(both) => self.before_version(&both.1).await?,
                Node::Job(job) => self.before_job(job).await?,
                Node::Workspace(_) => Vec::new(),
            };
            found.extend(edges.into_iter().map(|edge| (edge, Direction::Back)));
        }
        if direction != Direction::Back {
            let edges = match node {
                Node::Version(both) => self.after_version(&both.0, &both.1).await?,
                Node::Job(job) => self.after_job(job).await?,
                Node::Workspace(_) => Vec::new(),
            };
            found.extend(edges.into_iter().map(|edge| (edge, Direction::Forth)));
        }
        Ok(found)
    }

    async fn before_version(&self, version: &Version) -> Result<Vec<Edge>> {
        let to = Key::Version(version.id);
        let mut edges = Vec::new();
        let mut add = |from, how| edges.push(Edge { from, to, how });
        for source in datasets::sources(self.db(), version.id).await? {
            match (source.version_id, source.job_id) {
                (Some(id), _) => add(Key::Version(id), How::MadeOf),
                (None, Some(id)) => add(Key::Job(id), How::Left),
                (None, None) => {}
            }
        }
        if let Some(id) = version.job_id {
            add(Key::Job(id), How::Left);
        }
        Ok(edges)
    }

    async fn before_job(&self, job: &Job) -> Result<Vec<Edge>> {
        let to = Key::Job(job.id);
        let mut edges = Vec::new();
        for input in &job.inputs {
            if let Some(from) = self.meant(job.project_id, input).await? {
                let how = How::Read;
                edges.push(Edge { from, to, how });
            }
        }
        if let Some(id) = job.rerun_of {
            let (from, how) = (Key::Job(id), How::Repeats);
            edges.push(Edge { from, to, how });
        }
        if let Some(id) = job.workspace_id {
            let (from, how) = (Key::Workspace(id), How::Code);
            edges.push(Edge { from, to, how });
        }
        Ok(edges)
    }

    async fn after_version(&self, dataset: &Dataset, version: &Version) -> Result<Vec<Edge>> {
        let from = Key::Version(version.id);
        let made = datasets::used_by(self.db(), version.id).await?;
        let made = made.into_iter().map(|made| Edge {
            from,
            to: Key::Version(made.id),
            how: How::MadeOf,
        });
        let mut edges: Vec<Edge> = made.collect();
        let is_it = |reference: &Reference| {
            matches!(reference, Reference::Version { dataset: name, which, .. }
            if *which == version.number.to_string() && *name == dataset.name)
        };
        edges.extend(self.read_by(from, &version.manifest_digest, is_it).await?);
        Ok(edges)
    }

    async fn after_job(&self, job: &Job) -> Result<Vec<Edge>> {
        let from = Key::Job(job.id);
        let mut left = datasets::of_job(self.db(), job.id).await?;
        left.extend(datasets::made_of_job(self.db(), job.id).await?);
        let left = left.into_iter().map(|version| Edge {
            from,
            to: Key::Version(version.id),
            how: How::Left,
        });
        let mut edges: Vec<Edge> = left.collect();
        if let Some(outputs) = &job.outputs {
            let is_it = |reference: &Reference| matches!(reference, Reference::Outputs { number, .. } if *number == job.number);
            edges.extend(self.read_by(from, &outputs.manifest_digest, is_it).await?);
        }
        Ok(edges)
    }

    /// Those that have a manifest as an input by a reference that `is_it` takes for the node's own: others may hold the very same files.
    async fn read_by(
        &self,
        from: Key,
        manifest_digest: &str,
        is_it: impl Fn(&Reference) -> bool,
    ) -> Result<Vec<Edge>> {
        let digest: Hash = manifest_digest.parse()?;
        let readings = datasets::readers(self.db(), &digest).await?;
        let mine = readings.into_iter().filter(|reading| {
            reading
                .reference
                .parse()
                .is_ok_and(|reference| is_it(&reference))
        });
        Ok(mine
            .map(|reading| Edge {
                from,
                to: match reading.reader {
                    Reader::Job(id) => Key::Job(id),
                    Reader::Workspace(id) => Key::Workspace(id),
                },
                how: How::Read,
            })
            .collect())
    }

    /// What an input's reference named when it was recorded: what has that name now, if it holds the same files, else any version that does.
    async fn meant(&self, project_id: ProjectId, input: &Input) -> Result<Option<Key>> {
        let reference: Reference = input.reference.parse()?;
        if let Ok(of) = self.find_any(project_id, &reference).await {
            let (key, digest) = match of {
                Of::Job(id) => {
                    let job = jobs::get(self.db(), id).await?;
                    let outputs = job.and_then(|job| job.outputs);
                    (Key::Job(id), outputs.map(|outputs| outputs.manifest_digest))
                }
                Of::Version(id) => {
                    let version = datasets::version(self.db(), id).await?;
                    let digest = version.map(|version| version.manifest_digest);
                    (Key::Version(id), digest)
                }
            };
            if digest.as_ref() == Some(&input.manifest_digest) {
                return Ok(Some(key));
            }
        }
        let digest: Hash = input.manifest_digest.parse()?;
        let versions = datasets::of_manifest(self.db(), &digest).await?;
        Ok(versions.first().map(|version| Key::Version(version.id)))
    }

    /// The record that a reference names, whatever its state.
    ///
    /// # Errors
    /// `Invalid` where there is none.
    pub(super) async fn find_any(
        &self,
        project_id: ProjectId,
        reference: &Reference,
    ) -> Result<Of> {
        let nothing = || crate::Error::invalid(format!("there is no `{reference}`"));
        let project_id = match reference.project() {
            None => project_id,
            Some(name) => {
                let project = projects::by_name(self.db(), name).await?;
                project.ok_or_else(nothing)?.id
            }
        };
        match reference {
            Reference::Outputs { number, .. } => {
                let job = jobs::by_number(self.db(), project_id, *number).await?;
                job.map(|job| Of::Job(job.id)).ok_or_else(nothing)
            }
            Reference::Version { dataset, which, .. } => {
                let dataset = datasets::by_name(self.db(), project_id, dataset).await?;
                let dataset = dataset.ok_or_else(nothing)?;
                let version = datasets::find(self.db(), dataset.id, which).await?;
                version
                    .map(|version| Of::Version(version.id))
                    .ok_or_else(nothing)
            }
        }
    }
}
