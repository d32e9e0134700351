//! What a token may do at most. What it may do in fact is that and what its owner may do when it is used.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// One thing that a token can be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read projects, workspaces, jobs, logs, outputs and events.
    Read,
    /// Create and change projects, jobs and uploads.
    Write,
    /// Start, stop and open the owner's workspaces, and what runs in them.
    Workspaces,
    /// The owner's account: sessions, tokens, name and password.
    Account,
    /// What administrators may do, while the owner is one.
    Admin,
}

impl Scope {
    const ALL: [Self; 5] = [
        Self::Read,
        Self::Write,
        Self::Workspaces,
        Self::Account,
        Self::Admin,
    ];

    fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Its text in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Workspaces => "workspaces",
            Self::Account => "account",
            Self::Admin => "admin",
        }
    }
}

/// A set of scopes. In JSON a list.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope: what a browser session has.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether `scope` is one of them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether all of them are also in `other`.
    pub fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes, in their usual order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }

    /// The scopes that `names` stand for. A name from another version of the program grants nothing.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names
            .into_iter()
            .filter_map(|name| Scope::ALL.into_iter().find(|scope| scope.as_str() == name))
            .collect()
    }

    /// Their names, as stored.
    pub fn names(self) -> Vec<String> {
        self.iter().map(|scope| scope.as_str().to_owned()).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | scope.bit()))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(Scope::as_str))
            .finish()
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Scope>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: Scopes = serde_json::from_str(r#"["write","read","read"]"#).unwrap();
        assert!(set.contains(Scope::Read) && !set.contains(Scope::Admin));
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["read","write"]"#);
        assert!(set.is_within(Scopes::all()) && !Scopes::all().is_within(set));
        assert_eq!(Scopes::from_names(["read", "fly", "write"]), set);
    }

    #[test]
    fn an_unknown_scope_cannot_be_asked_for() {
        assert!(serde_json::from_str::<Scopes>(r#"["root"]"#).is_err());
    }
}
