//! Selected cells as a job: what they need, and the notebook that they make. The notebook comes from whoever edits it, with what is not saved
//! yet; it goes into the job's snapshot and never into the home.

use std::collections::BTreeSet;

use kernels::{
    notebook::{Document, Kind},
    promote,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, SemaphorePermit};

pub use kernels::promote::{Candidate, Needed, Proposal, Reason};

use crate::{Error, Result};

/// What a selection needs, and what could be its parameters.
#[derive(Debug)]
pub struct Proposed {
    /// The cells in the order to run, and doubts.
    pub proposal: Proposal,
    /// The id of each cell of the proposal; formats before 4.5 have none.
    pub ids: Vec<Option<String>>,
    /// The declared parameters, and plain assignments that could be some.
    pub parameters: Vec<Candidate>,
}

/// The cells of a notebook that a job runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cells {
    /// The notebook, in format 4; what its cells gave is not needed.
    pub notebook: Box<RawValue>,
    /// Where it lies within the code, whether it is saved there or not.
    pub path: String,
    /// The positions of the cells to run, among all cells from 0, in the order to run them.
    pub keep: Vec<usize>,
    /// Names that are assigned plainly once, which become parameters.
    #[serde(default)]
    pub lift: Vec<String>,
    /// What runs before everything else, such as loading values that were carried along.
    #[serde(default)]
    pub prelude: Option<String>,
}

/// Proposes what the cells at the positions `selected` of a notebook need. Nothing is run or kept.
///
/// # Errors
/// `Invalid` where `notebook` is none of format 4, or where nothing that is selected is code.
pub async fn propose(notebook: Box<RawValue>, selected: BTreeSet<usize>) -> Result<Proposed> {
    aside(turn().await?, move || {
        propose_now(notebook.get(), &selected)
    })
    .await
}

fn propose_now(notebook: &str, selected: &BTreeSet<usize>) -> Result<Proposed> {
    let document = parse(notebook)?;
    let proposal = promote::propose(&document, selected);
    if proposal.cells.is_empty() {
        return Err(Error::invalid(
            "no code cell is selected: `selected` holds positions among all cells, counted from 0",
        ));
    }
    let cells: Vec<usize> = proposal.cells.iter().map(|needed| needed.cell).collect();
    let ids = cells.iter().map(|at| document.cells()[*at].id());
    Ok(Proposed {
        ids: ids.collect(),
        parameters: promote::parameters(&document, &cells),
        proposal,
    })
}

/// Notebooks may be large, and reading them takes a core each.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// Requests that wait for that, each with a notebook in memory; more are refused.
static WAITING: Semaphore = Semaphore::const_new(12);

/// A turn to read a notebook.
pub(crate) struct Turn(SemaphorePermit<'static>);

/// Waits for a turn.
///
/// # Errors
/// `Unavailable` where too many wait already.
pub(crate) async fn turn() -> Result<Turn> {
    let busy = |_| Error::Unavailable {
        message: "too many notebooks are being read: try again in a moment".to_owned(),
        source: None,
    };
    let _place = WAITING.try_acquire().map_err(busy)?;
    let turn = AT_ONCE.acquire().await;
    turn.map(Turn)
        .map_err(|error| Error::internal("nobody reads notebooks now", error))
}

/// Does work on a notebook where it keeps nobody else from theirs.
pub(crate) async fn aside<T: Send + 'static>(
    Turn(turn): Turn,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await
        .map_err(|error| Error::internal("reading a notebook was interrupted", error))?
}

impl Cells {
    /// Where the notebook of these cells goes: `a/b.ipynb` gives `a/b.cells.ipynb`.
    pub(crate) fn place(&self) -> String {
        let stem = self.path.strip_suffix(".ipynb").unwrap_or(&self.path);
        format!("{stem}.cells.ipynb")
    }

    /// The notebook of these cells alone, as it is stored.
    ///
    /// # Errors
    /// `Invalid` where the notebook is none of format 4, or these are not its code cells, each once.
    pub(crate) async fn assemble(self) -> Result<String> {
        aside(turn().await?, move || self.assemble_now()).await
    }

    fn assemble_now(&self) -> Result<String> {
        let document = parse(self.notebook.get())?;
        let mut seen = BTreeSet::new();
        for at in &self.keep {
            let cell = document.cells().get(*at);
            if !cell.is_some_and(|cell| cell.kind() == Kind::Code) || !seen.insert(*at) {
                return Err(Error::invalid(format!(
                    "`keep` names the cell {at}, which is no code cell of the notebook, or is named twice"
                )));
            }
        }
        if self.keep.is_empty() {
            return Err(Error::invalid("`keep` names no cells"));
        }
        let offered = promote::parameters(&document, &self.keep);
        for name in &self.lift {
            if !offered.iter().any(|one| one.parameter.name == *name) {
                return Err(Error::invalid(format!(
                    "`{name}` cannot become a parameter: these cells do not assign it plainly, once and in one place"
                )));
            }
        }
        let prelude = self.prelude.as_deref();
        let mut made = promote::assemble(&document, &self.keep, &self.lift, prelude);
        Ok(made.render())
    }
}

pub(crate) fn parse(notebook: &str) -> Result<Document> {
    Document::parse(notebook).map_err(|error| Error::invalid(error.to_string()))
}
