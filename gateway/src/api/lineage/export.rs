//! What the forms of a lineage for other programs have in common: names that last, and what is known of each node.

use std::collections::HashMap;

use control::lineage::{Edge, Graph, How, Key, Node};
use serde_json::{Value, json};
use storage::{
    clock,
    datasets::{Dataset, Origin, Version},
    ids::JobId,
    jobs::Job,
    leases::Subject,
    snapshots::{self, Snapshot},
    workspaces::Input,
};

use super::Placed;
use crate::{app::App, error::ApiError};

/// A lineage with what its export needs besides.
pub(super) struct Export<'a> {
    /// The address of the service, without a slash at its end.
    pub(super) url: String,
    pub(super) graph: &'a Graph,
    nodes: HashMap<Key, &'a Node>,
    code: HashMap<JobId, Snapshot>,
    placed: &'a Placed,
}

impl<'a> Export<'a> {
    pub(super) async fn of(
        app: &App,
        graph: &'a Graph,
        placed: &'a Placed,
    ) -> Result<Self, ApiError> {
        let mut code = HashMap::new();
        for node in &graph.nodes {
            if let Node::Job(job) = node
                && let Some(found) = snapshots::get(app.db(), job.snapshot_id).await?
            {
                code.insert(job.id, found);
            }
        }
        let nodes = graph.nodes.iter().map(|node| (node.key(), node));
        let url = app.config().public_url.as_str();
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            graph,
            nodes: nodes.collect(),
            code,
            placed,
        })
    }

    /// Of what was asked for: whether there is more than is told, and how many neighbours the caller may not see.
    pub(super) fn extent(&self, key: Key) -> Option<Value> {
        let Graph {
            start,
            more,
            hidden,
            ..
        } = self.graph;
        (key == *start).then(|| json!({"more": more, "hidden": hidden}))
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = &'a Job> {
        self.graph.nodes.iter().filter_map(|node| match node {
            Node::Job(job) => Some(&**job),
            _ => None,
        })
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = &'a (Dataset, Version)> {
        self.graph.nodes.iter().filter_map(|node| match node {
            Node::Version(both) => Some(&**both),
            _ => None,
        })
    }

    pub(super) fn node(&self, key: Key) -> Option<&'a Node> {
        self.nodes.get(&key).copied()
    }

    /// The edges of a kind that lead to a node.
    pub(super) fn before(&self, to: Key, how: How) -> impl Iterator<Item = &'a Edge> {
        let edges = self.graph.edges.iter();
        edges.filter(move |edge| edge.to == to && edge.how == how)
    }

    /// The edges of a kind that lead from a node.
    pub(super) fn after(&self, from: Key, how: How) -> impl Iterator<Item = &'a Edge> {
        let edges = self.graph.edges.iter();
        edges.filter(move |edge| edge.from == from && edge.how == how)
    }

    pub(super) fn code(&self, job: &Job) -> Option<&Snapshot> {
        self.code.get(&job.id)
    }

    pub(super) fn cost(&self, job: &Job) -> Option<String> {
        self.placed.cost(Subject::Job(job.id))
    }

    /// The page of a version.
    pub(super) fn version_page(&self, (dataset, version): &(Dataset, Version)) -> String {
        let (project, name) = (&dataset.project, &dataset.name);
        format!("{}/p/{project}/data/{name}/{}", self.url, version.number)
    }

    /// The page of a job.
    pub(super) fn job_page(&self, job: &Job) -> String {
        format!("{}/p/{}/jobs/{}", self.url, job.project, job.number)
    }
}

/// The input of a job that named a node; the first one, where several did.
pub(super) fn input(job: &Job, from: Key) -> Option<&Input> {
    job.inputs.iter().find(|input| match from {
        Key::Version(id) => input.version_id == Some(id),
        Key::Job(id) => input.source_job_id == Some(id),
        Key::Workspace(_) => false,
    })
}

/// A time as text.
pub(super) fn time(ms: i64) -> String {
    clock::iso(ms)
}

/// Whether a version is what a job left, or a part of it, and nothing else.
pub(super) fn is_left_by(version: &Version, job: JobId) -> bool {
    version.origin == Origin::Job && version.job_id == Some(job)
}
