//! What lies one step from a node.

use storage::{
    datasets::{self, Cause, Effect, Version},
    ids::ProjectId,
    jobs::{self, Job},
    projects,
    workspaces::{self, Input},
};

use super::{Direction, Edge, How, Key, Node};
use crate::{Control, Error, Result, inputs::Of, reference::Reference};

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

    /// The edges at a node, each with the direction in which its other end is followed, and whether there are more.
    pub(super) async fn neighbours(
        &self,
        node: &Node,
        direction: Direction,
    ) -> Result<(Found, bool)> {
        let (mut found, mut more) = (Vec::new(), false);
        if direction != Direction::Forth {
            let edges = match node {
                Node::Version(both) => self.before_version(&both.1).await?,
                Node::Job(job) => self.before_job(job).await?,
                Node::Workspace(_) => Vec::new(),
            };
            found.extend(edges.into_iter().map(|edge| (edge, Direction::Back)));
        }
        if direction != Direction::Back {
            let cause = match node {
                Node::Version(both) => Cause::Version(both.1.id),
                Node::Job(job) => Cause::Job(job.id),
                Node::Workspace(_) => return Ok((found, more)),
            };
            let effects;
            (effects, more) = datasets::effects(self.db(), cause).await?;
            let edges = effects.into_iter().map(|effect| after(node.key(), effect));
            found.extend(edges.map(|edge| (edge, Direction::Forth)));
        }
        Ok((found, more))
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
        let mut add = |from, how| edges.push(Edge { from, to, how });
        for input in &job.inputs {
            if let Some(from) = self.meant(job.project_id, input).await? {
                add(from, How::Read);
            }
        }
        if let Some(id) = job.rerun_of {
            add(Key::Job(id), How::Repeats);
        }
        if let Some(id) = job.workspace_id {
            add(Key::Workspace(id), How::Code);
        }
        Ok(edges)
    }

    /// What an input's reference named. Inputs from before that was recorded name a job by its number, which never means another.
    async fn meant(&self, project_id: ProjectId, input: &Input) -> Result<Option<Key>> {
        if let Some(id) = input.version_id {
            return Ok(Some(Key::Version(id)));
        }
        if let Some(id) = input.source_job_id {
            return Ok(Some(Key::Job(id)));
        }
        let reference: Reference = input.reference.parse()?;
        match self.find_any(project_id, &reference).await {
            Ok(Of::Job(id)) => Ok(Some(Key::Job(id))),
            Ok(Of::Version(_)) | Err(Error::Invalid(_)) => Ok(None),
            Err(error) => Err(error),
        }
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
        let nothing = || Error::invalid(format!("there is no `{reference}`"));
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

fn after(from: Key, effect: Effect) -> Edge {
    let (to, how) = match (effect, from) {
        (Effect::Version(id), Key::Job(_)) => (Key::Version(id), How::Left),
        (Effect::Version(id), _) => (Key::Version(id), How::MadeOf),
        (Effect::Job(id), _) => (Key::Job(id), How::Read),
        (Effect::Workspace(id), _) => (Key::Workspace(id), How::Read),
    };
    Edge { from, to, how }
}
