//! Lineage: what a version or a job came from, and what came from it. A walk through the records in both directions.
//!
//! An edge leads from what was there first to what came of it. Workspaces are ends: what they show and what comes out of them would tie everything
//! of a person together.

mod neighbours;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

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
    /// Whether there is more than was walked, beyond the depth or the number of nodes.
    pub more: bool,
    /// How many neighbours are out of the caller's sight.
    pub hidden: usize,
}

/// What a caller may see.
#[derive(Debug, Clone)]
pub enum Sight {
    /// Everything.
    All,
    /// These projects, and datasets that are open to all.
    Projects(HashSet<ProjectId>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Back,
    Forth,
    Both,
}

impl Control {
    /// Walks from what a reference of a project names, `depth` steps back and as many forth. What came from something's past is not followed
    /// forth again, nor the other way around.
    ///
    /// # Errors
    /// `Invalid` where there is nothing of that name.
    pub async fn lineage(
        &self,
        project_id: ProjectId,
        reference: &Reference,
        depth: usize,
        sight: &Sight,
    ) -> Result<Graph> {
        let start = match self.find_any(project_id, reference).await? {
            Of::Version(id) => Key::Version(id),
            Of::Job(id) => Key::Job(id),
        };
        let mut walk = Walk {
            graph: Graph {
                start,
                nodes: Vec::new(),
                edges: BTreeSet::new(),
                more: false,
                hidden: 0,
            },
            met: HashMap::new(),
            ahead: VecDeque::from([(start, Direction::Both, 0)]),
        };
        while let Some((key, direction, distance)) = walk.ahead.pop_front() {
            let node = self.node(key).await?.filter(|node| sees(sight, node));
            let Some(node) = node else {
                walk.lose(key);
                continue;
            };
            if matches!(walk.met.get(&key), Some(true)) {
                continue;
            }
            walk.met.insert(key, true);
            let found = if matches!(node, Node::Workspace(_)) {
                Vec::new()
            } else {
                self.neighbours(&node, direction).await?
            };
            walk.graph.nodes.push(node);
            walk.step(key, found, distance, depth);
        }
        walk.graph
            .edges
            .retain(|edge| walk.met.contains_key(&edge.from) && walk.met.contains_key(&edge.to));
        Ok(walk.graph)
    }
}

struct Walk {
    graph: Graph,
    /// Nodes that are known, and whether they were visited.
    met: HashMap<Key, bool>,
    ahead: VecDeque<(Key, Direction, usize)>,
}

impl Walk {
    fn lose(&mut self, key: Key) {
        self.graph.hidden += usize::from(self.met.remove(&key).is_some());
    }

    fn step(&mut self, key: Key, found: Vec<(Edge, Direction)>, distance: usize, depth: usize) {
        for (edge, direction) in found {
            let other = if edge.from == key { edge.to } else { edge.from };
            let is_new = !self.met.contains_key(&other);
            if is_new && (distance >= depth || self.met.len() >= MOST_NODES) {
                self.graph.more = true;
                continue;
            }
            self.graph.edges.insert(edge);
            if is_new {
                self.met.insert(other, false);
                self.ahead.push_back((other, direction, distance + 1));
            }
        }
    }
}

fn sees(sight: &Sight, node: &Node) -> bool {
    use storage::datasets::Visibility;
    let Sight::Projects(projects) = sight else {
        return true;
    };
    match node {
        Node::Version(both) => {
            both.0.visibility != Visibility::Project || projects.contains(&both.0.project_id)
        }
        Node::Job(job) => projects.contains(&job.project_id),
        Node::Workspace(workspace) => projects.contains(&workspace.project_id),
    }
}
