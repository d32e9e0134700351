//! Notebooks as they are in somebody's editor: what a selection of cells needs. Nothing is run, and nothing is kept.

use std::collections::BTreeSet;

use control::cells::{self, Candidate, Needed, Proposed, Reason};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

use crate::{
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::Json,
};

/// A request with a notebook in it may be larger than others.
pub(super) const NOTEBOOK_BYTES: usize = 64 << 20;

/// Some cells of a notebook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CellSelection {
    /// The notebook, in format 4, with its execution numbers; what its cells gave is not needed.
    #[schema(value_type = Object)]
    notebook: Box<RawValue>,
    /// The positions of the selected cells among all cells, from 0.
    selected: BTreeSet<usize>,
}

/// What a selection needs to run by itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CellProposal {
    /// The cells, in the order in which they have to run.
    cells: Vec<ProposedCell>,
    /// What could not be seen, in words.
    doubts: Vec<String>,
    /// Names that no cell that ran defines: they may only live in the kernel.
    missing: Vec<String>,
    /// The parameters of the `parameters` cell, and plain assignments in the proposed cells that could be some.
    parameters: Vec<CellParameter>,
}

/// A cell that is needed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProposedCell {
    /// Its position among all cells, from 0.
    cell: usize,
    /// Its id in the notebook.
    id: Option<String>,
    /// Why.
    reasons: Vec<CellReason>,
    /// Whether it may not be needed after all.
    doubt: bool,
}

/// Why a cell is needed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CellReason {
    /// `selected`, `defines`, `may_change`, `writes`, `effect` or `unreadable`.
    kind: String,
    /// The name, the file or the effect.
    what: Option<String>,
    /// The same in words.
    text: String,
}

/// A parameter that a notebook declares, or could.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CellParameter {
    /// Its name.
    name: String,
    /// `boolean`, `integer`, `number`, `text`, `list`, `map`, `none` or `code`.
    kind: String,
    /// Its value in the notebook; null for `none` and `code`.
    #[schema(value_type = Object, nullable)]
    default: Value,
    /// The same as the notebook writes it.
    code: String,
    /// The comment behind it.
    help: String,
    /// The position of its cell.
    cell: usize,
    /// `parameters`, or `assignment` where it would have to be lifted out of its cell.
    source: String,
}

/// Proposes the cells that a selection needs to run as a job.
///
/// Those that ran before it and made, or may have changed, what it uses: rather too many than too few, each with the reason.
#[utoipa::path(post, path = "/notebooks/cells", operation_id = "propose_cells", tag = "jobs", request_body = CellSelection,
    responses((status = 200, body = CellProposal), (status = "4XX", body = Envelope)))]
pub(crate) async fn propose_cells(
    principal: Principal,
    Json(selection): Json<CellSelection>,
) -> Result<Json<CellProposal>, ApiError> {
    authz::require_general(&principal, Action::ReadCatalog)?;
    let proposed = cells::propose(selection.notebook, selection.selected).await?;
    Ok(Json(proposed.into()))
}

impl From<Proposed> for CellProposal {
    fn from(proposed: Proposed) -> Self {
        let Proposed {
            proposal,
            ids,
            parameters,
        } = proposed;
        let cells = proposal.cells.into_iter().zip(ids);
        Self {
            cells: cells.map(|(needed, id)| cell(needed, id)).collect(),
            doubts: proposal.doubts,
            missing: proposal.missing,
            parameters: parameters.into_iter().map(parameter).collect(),
        }
    }
}

fn cell(needed: Needed, id: Option<String>) -> ProposedCell {
    ProposedCell {
        cell: needed.cell,
        id,
        doubt: needed.reasons.iter().all(Reason::is_doubt),
        reasons: needed.reasons.into_iter().map(reason).collect(),
    }
}

fn reason(reason: Reason) -> CellReason {
    let text = reason.to_string();
    let (kind, what) = match reason {
        Reason::Selected => ("selected", None),
        Reason::Defines(name) => ("defines", Some(name)),
        Reason::MayChange(name) => ("may_change", Some(name)),
        Reason::Writes(file) => ("writes", file),
        Reason::Effect(what) => ("effect", Some(what)),
        Reason::Unreadable(why) => ("unreadable", Some(why)),
    };
    CellReason {
        kind: kind.to_owned(),
        what,
        text,
    }
}

fn parameter(candidate: Candidate) -> CellParameter {
    let Candidate {
        parameter,
        cell,
        source,
    } = candidate;
    CellParameter {
        name: parameter.name,
        kind: parameter.kind.to_owned(),
        default: parameter.default,
        code: parameter.code,
        help: parameter.help,
        cell,
        source: source.as_str().to_owned(),
    }
}
