//! What a backup needs to be done before: homes are folders, and are in it as they were saved last, so they are saved now.

use serde::Serialize;
use storage::{
    Store,
    homes::{self, HomePlace, HomeRun},
    ids::MachineId,
    snapshot::Reason,
};

use crate::{Layout, Result, machine};

/// Homes read at a time.
const PAGE: u32 = 200;
/// A home that goes on to another run meanwhile is saved again, so often.
const TRIES: usize = 3;

/// How homes are saved.
#[derive(Debug, Default, Serialize)]
pub struct SavedHomes {
    /// How many are saved as they are now.
    pub saved: u64,
    /// The others.
    pub older: Vec<OlderHome>,
    /// Those of which files could not be read when they were saved.
    pub lacking: Vec<LackingHome>,
}

/// A home that is not saved whole.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct LackingHome {
    /// The workspace: its owner and its name.
    pub name: String,
    /// How many files it lacks.
    pub files: u64,
}

/// A home that is not saved as it is now.
#[derive(Debug, Serialize)]
pub struct OlderHome {
    /// The workspace: its owner and its name.
    pub name: String,
    /// When it was saved last, in milliseconds UTC; none where it never was.
    pub saved_ms: Option<i64>,
    /// Whether it lies on another machine, whose worker saves it.
    pub elsewhere: bool,
    /// Why.
    pub why: String,
}

impl SavedHomes {
    /// Whether each home is saved with all that can be kept: as it is now, or, where it lies on another machine, as that machine saved it last.
    pub fn is_whole(&self) -> bool {
        let saved_there = |home: &OlderHome| home.elsewhere && home.saved_ms.is_some();
        self.older.iter().all(saved_there) && self.lacking.is_empty()
    }
}

/// Saves the homes that lie on this machine, whose data are at `layout`, beside a server that runs. `tell` hears the name of each before.
///
/// Those on other machines their workers save: while they are in use, and when they stop.
pub async fn save_homes(
    store: &Store,
    layout: &Layout,
    here: Option<MachineId>,
    tell: &dyn Fn(&str),
) -> Result<SavedHomes> {
    let mut done = SavedHomes::default();
    let mut after = None;
    loop {
        let page = homes::places(store.db(), after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(done);
        };
        after = Some(last.workspace_id);
        for home in page {
            tell(&home.name);
            let elsewhere = here != Some(home.copy.machine_id);
            let why = if home.copy.saved {
                None
            } else if !elsewhere {
                let saved = save(store, layout, &home).await;
                saved.err().map(|error| chain(&error))
            } else {
                Some("it lies on another machine".to_owned())
            };
            done.lacking.extend(lacking(store, &home).await?);
            match why {
                None => done.saved += 1,
                Some(why) => done.older.push(OlderHome {
                    name: home.name,
                    saved_ms: home.saved_ms,
                    elsewhere,
                    why,
                }),
            }
        }
    }
}

/// What the newest snapshot of a home lacks. What no home keeps, such as sockets, is not missed, nor what only changed while it was read.
async fn lacking(store: &Store, home: &HomePlace) -> Result<Option<LackingHome>> {
    let Some(newest) = homes::newest(store.db(), home.workspace_id).await? else {
        return Ok(None);
    };
    let count = |reason, path: &str| match reason {
        Reason::Unreadable | Reason::BadPath | Reason::NotUtf8 => 1,
        Reason::More => path.parse().unwrap_or(1),
        _ => 0,
    };
    let skipped = newest.skipped.iter();
    let files = skipped.map(|one| count(one.reason, &one.path)).sum();
    let name = home.name.clone();
    Ok((files > 0).then_some(LackingHome { name, files }))
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Saves one. Its server may start, run and end meanwhile: the record of the copy says which run wrote it, and another one's snapshot is refused.
async fn save(store: &Store, layout: &Layout, home: &HomePlace) -> Result<()> {
    let (id, folder) = (home.workspace_id, layout.home(&home.workspace_id));
    let mut home = home.clone();
    for _ in 0..TRIES {
        let index = machine::home_index(id);
        let pending = homes::take(store, home.project_id, &folder, &index).await?;
        let run = HomeRun {
            workspace_id: id,
            machine_id: home.copy.machine_id,
            fence: home.copy.fence,
        };
        let (pending_ref, whole) = (&pending, !home.in_use);
        let saved = store
            .db()
            .write(move |mut tx| async move { homes::save(&mut tx, pending_ref, run, whole).await })
            .await?;
        if saved.is_some() {
            pending.recorded();
            return Ok(());
        }
        match homes::place(store.db(), id).await? {
            Some(now) if now.copy.machine_id == home.copy.machine_id => home = now,
            Some(_) => break,
            // It was removed.
            None => return Ok(()),
        }
    }
    Err(crate::Error::conflict(
        "it moved while it was saved: make another backup",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn older(elsewhere: bool, saved_ms: Option<i64>) -> SavedHomes {
        let home = OlderHome {
            name: "ada/lab".to_owned(),
            saved_ms,
            elsewhere,
            why: String::new(),
        };
        SavedHomes {
            older: vec![home],
            ..SavedHomes::default()
        }
    }

    #[test]
    fn only_what_another_machine_has_saved_may_be_older() {
        assert!(SavedHomes::default().is_whole());
        assert!(older(true, Some(1)).is_whole());
        assert!(!older(true, None).is_whole());
        assert!(!older(false, Some(1)).is_whole());
        let name = "ada/lab".to_owned();
        let lacking = SavedHomes {
            lacking: vec![LackingHome { name, files: 1 }],
            ..SavedHomes::default()
        };
        assert!(!lacking.is_whole());
    }
}
