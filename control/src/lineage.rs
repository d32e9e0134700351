//! Lineage: what a version or a job came from, and what came from it. A walk through the records in both directions.
//!
//! An edge leads from what was there first to what came of it. Workspaces are ends: what they show and what comes out of them would tie everything
//! of a person together.

mod neighbours;

use std::collections::{BTreeSet, HashMap, VecDeque};

use storage::{
    datasets::{Dataset, Version},
    ids::{JobId, ProjectId, VersionId, WorkspaceId},
    jobs::Job,
    workspaces::Workspace,
};

use crate::{Control, Result, inputs::Of, reference::Reference};

/// The most nodes of one graph.
pub const MOST_NODES: usize = 500;

/// Names a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A version of a dataset.
    Version(VersionId),
    /// A job.
    Job(JobId),
    /// A workspace.
    Workspace(WorkspaceId),
}

/// Something that has a past or a future.
#[derive(Debug, Clone)]
pub enum Node {
    /// A version, and its dataset.
    Version(Box<(Dataset, Version)>),
    /// A job.
    Job(Box<Job>),
    /// A workspace.
    Workspace(Box<Workspace>),
}

impl Node {
    /// Its name in the graph.
    pub fn key(&self) -> Key {
        match self {
            Self::Version(both) => Key::Version(both.1.id),
            Self::Job(job) => Key::Job(job.id),
            Self::Workspace(workspace) => Key::Workspace(workspace.id),
        }
    }
}

/// How something came of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// It read it as an input.
    Read,
    /// It left it.
    Left,
    /// It is made of it.
    MadeOf,
    /// It repeats it.
    Repeats,
    /// Its code was taken there.
    Code,
}

/// That something came of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// What was there first.
    pub from: Key,
    /// What came of it.
    pub to: Key,
    /// How.
    pub how: How,
}

/// What something came from and what came of it.
#[derive(Debug)]
pub struct Graph {
    /// What was asked for.
    pub start: Key,
    /// Every node, the start first, then by distance.
    pub nodes: Vec<Node>,
    /// Every edge between them.
    pub edges: BTreeSet<Edge>,
    /// Whether there is more than was walked: beyond the depth, the number of nodes, or the neighbours of one.
    pub more: bool,
    /// How many neighbours are out of the caller's sight.
    pub hidden: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Back,
    Forth,
    Both,
}

impl Control {
    /// Walks from what a reference of a project names, `depth` steps back and as many forth, through what `sees` says that the caller may see. What
    /// came from something's past is not followed forth again, nor the other way around.
    ///
    /// # Errors
    /// `Invalid` where there is nothing of that name.
    pub async fn lineage(
        &self,
        project_id: ProjectId,
        reference: &Reference,
        depth: usize,
        sees: &(dyn Fn(&Node) -> bool + Send + Sync),
    ) -> Result<Graph> {
        let start = match self.find_any(project_id, reference).await? {
            Of::Version(id) => Key::Version(id),
            Of::Job(id) => Key::Job(id),
        };
        let mut walk = Walk::from(start);
        while let Some((key, direction, distance)) = walk.ahead.pop_front() {
            let Some(node) = self.node(key).await? else {
                walk.met.insert(key, Met::Gone);
                continue;
            };
            if !sees(&node) {
                walk.met.insert(key, Met::Hidden);
                continue;
            }
            let (found, more) = self.neighbours(&node, direction).await?;
            walk.met.insert(key, Met::Shown);
            walk.more |= more;
            walk.nodes.push(node);
            walk.step(key, found, distance, depth);
        }
        Ok(walk.graph(start))
    }
}

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    Ahead,
    Shown,
    Hidden,
    /// Deleted.
    Gone,
}

struct Walk {
    nodes: Vec<Node>,
    edges: BTreeSet<Edge>,
    more: bool,
    met: HashMap<Key, Met>,
    ahead: VecDeque<(Key, Direction, usize)>,
}

impl Walk {
    fn from(start: Key) -> Self {
        Self {
            nodes: Vec::new(),
            edges: BTreeSet::new(),
            more: false,
            met: HashMap::from([(start, Met::Ahead)]),
            ahead: VecDeque::from([(start, Direction::Both, 0)]),
        }
    }

    fn step(&mut self, key: Key, found: Vec<(Edge, Direction)>, distance: usize, depth: usize) {
        for (edge, direction) in found {
            let other = if edge.from == key { edge.to } else { edge.from };
            let is_new = !self.met.contains_key(&other);
            if is_new && (distance >= depth || self.met.len() >= MOST_NODES) {
                self.more = true;
                continue;
            }
            self.edges.insert(edge);
            if is_new {
                self.met.insert(other, Met::Ahead);
                self.ahead.push_back((other, direction, distance + 1));
            }
        }
    }

    fn graph(mut self, start: Key) -> Graph {
        let shown = |key: &Key| self.met.get(key) == Some(&Met::Shown);
        self.edges
            .retain(|edge| shown(&edge.from) && shown(&edge.to));
        let hidden = self.met.values().filter(|met| **met == Met::Hidden);
        Graph {
            start,
            hidden: hidden.count(),
            nodes: self.nodes,
            edges: self.edges,
            more: self.more,
        }
    }
}
