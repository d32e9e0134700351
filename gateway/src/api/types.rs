//! Shapes that several resources share: pages, roles, empty answers.

use serde::{Deserialize, Serialize};
use storage::{List, Page, list::MAX_LIMIT, members};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;

/// Items that a page has where the client does not say.
const USUAL_LIMIT: u32 = 100;

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// How many items at most, 1 to 1000. Usually 100.
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
    /// `next` of the page before.
    pub(crate) cursor: Option<String>,
}

impl PageQuery {
    /// The page as storage takes it.
    ///
    /// # Errors
    /// 400 for a limit out of bounds.
    pub(crate) fn page(self) -> Result<Page, ApiError> {
        let limit = self.limit.unwrap_or(USUAL_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(ApiError::invalid("`limit` is a number from 1 to 1000."));
        }
        let cursor = self.cursor;
        Ok(Page { limit, cursor })
    }
}

/// One page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// The cursor of the next page; null after the last one.
    pub(crate) next: Option<String>,
}

impl<R, T: From<R>> From<List<R>> for Listing<T> {
    fn from(list: List<R>) -> Self {
        Self {
            items: list.items.into_iter().map(T::from).collect(),
            next: list.next,
        }
    }
}

impl<T> Listing<T> {
    /// A list that always fits one page.
    pub(crate) fn whole<R>(items: impl IntoIterator<Item = R>) -> Self
    where
        T: From<R>,
    {
        Self {
            items: items.into_iter().map(T::from).collect(),
            next: None,
        }
    }
}

/// What a member of a project may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Everything, with the project and its members.
    Owner,
    /// Make and run.
    Editor,
    /// Look.
    Viewer,
}

impl From<members::Role> for Role {
    fn from(role: members::Role) -> Self {
        match role {
            members::Role::Owner => Self::Owner,
            members::Role::Editor => Self::Editor,
            members::Role::Viewer => Self::Viewer,
        }
    }
}

impl From<Role> for members::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Editor => Self::Editor,
            Role::Viewer => Self::Viewer,
        }
    }
}
