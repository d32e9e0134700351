//! Jobs whose runs are held at a cell that failed: what the run says of itself, and what people answer.

use serde_json::value::RawValue;
use storage::{
    holds::{self, Answered, Hold, NewHold, Notebook, State},
    ids::{JobId, UserId},
    jobs,
    objects::Stored,
};

use crate::{Control, Error, Result, cells};

/// The most characters of each text that a run says of itself.
const MOST_CHARS: usize = 2000;
/// The same of names and titles.
const NAME_CHARS: usize = 200;

/// How a run that is held goes on.
#[derive(Debug)]
pub struct Answer {
    /// Which one it is, counted from 1: named where it is refused.
    pub number: i64,
    /// The corrected notebook; none to try the cell again as it was.
    pub notebook: Option<String>,
}

impl Control {
    /// Records that the job's run is held. `new` comes from the run, so its texts are made short and plain.
    ///
    /// # Errors
    /// `Conflict` where the job is not to be held, or this hold is over.
    pub async fn hold_job(&self, id: JobId, new: NewHold) -> Result<Hold> {
        let new = &NewHold {
            title: plain(&new.title, NAME_CHARS),
            ename: plain(&new.ename, NAME_CHARS),
            message: plain(&new.message, MOST_CHARS),
            ..new
        };
        let held = self
            .db()
            .write(move |mut tx| async move { holds::open(&mut tx, id, new).await });
        Ok(held.await?)
    }

    /// Records that the run could not use an answer to one of its holds, and waits for another.
    pub async fn refuse_answer(&self, id: JobId, answer: (i64, i64), why: &str) -> Result<()> {
        let why = &plain(why, MOST_CHARS);
        let done = self
            .db()
            .write(move |mut tx| async move { holds::refuse(&mut tx, id, answer, why).await });
        done.await.map(|_| ()).map_err(Error::from)
    }

    /// What somebody answered to the job's hold; nothing yet where it still waits for that.
    ///
    /// # Errors
    /// `Conflict` where this hold is over or never was.
    pub async fn hold_answer(&self, id: JobId, hold: i64) -> Result<Option<Answer>> {
        let over = || Error::conflict("this hold is over");
        let job = jobs::get(self.db(), id).await?.ok_or_else(over)?;
        let found = holds::get(self.db(), id, job.attempt, hold).await?;
        let hold = found.filter(|hold| hold.state.is_open()).ok_or_else(over)?;
        if hold.state == State::Held {
            return Ok(None);
        }
        let notebook = match hold.notebook {
            Some(Notebook { hash, bytes }) => {
                let content = self.store().read(hash, bytes, None).collect().await?;
                let text = String::from_utf8(content)
                    .map_err(|error| Error::internal("a corrected notebook is not text", error))?;
                Some(text)
            }
            None => None,
        };
        Ok(Some(Answer {
            number: hold.answers,
            notebook,
        }))
    }

    /// Records how the job's hold ended.
    ///
    /// # Errors
    /// `Conflict` where it cannot have ended so, because somebody answered just before.
    pub async fn end_hold(&self, id: JobId, hold: i64, how: State) -> Result<()> {
        let ended = self
            .db()
            .write(move |mut tx| async move { holds::end(&mut tx, id, hold, how).await });
        Ok(ended.await?)
    }

    /// Lets a job that is held go on from the cell that failed: with the sources of `notebook` from there on, or with the cell as it was.
    /// The run itself refuses a notebook in which an earlier cell is another, and stays held.
    ///
    /// # Errors
    /// `Conflict` where the job is not held or was answered already; `Invalid` for what is no notebook.
    pub async fn resume_job(
        &self,
        user_id: UserId,
        id: JobId,
        notebook: Option<Box<RawValue>>,
    ) -> Result<Hold> {
        // Nothing is stored for a job that does not wait for it.
        if notebook.is_some() && holds::current(self.db(), id).await?.is_none() {
            return Err(Error::conflict(
                "this job is not held: only one that waits at a cell that failed can be resumed",
            ));
        }
        let stored = match notebook {
            Some(notebook) => Some(self.keep(notebook).await?),
            None => None,
        };
        let notebook = stored.as_ref().map(|stored| Notebook {
            hash: stored.hash,
            bytes: stored.size,
        });
        let answered = &Answered { user_id, notebook };
        let hold = self
            .db()
            .write(move |mut tx| async move { holds::answer(&mut tx, id, answered).await });
        let hold = hold.await?;
        drop(stored);
        Ok(hold)
    }

    async fn keep(&self, notebook: Box<RawValue>) -> Result<Stored> {
        let text = cells::aside(cells::turn().await?, move || {
            cells::parse(notebook.get())?;
            Ok(notebook.get().to_owned())
        });
        Ok(self.store().put(text.await?.into_bytes()).await?)
    }
}

/// A text of a run without what could trick a terminal, cut to a sane length.
fn plain(text: &str, most: usize) -> String {
    let shown = text.chars().filter(|c| !c.is_control() || *c == '\n');
    shown.take(most).collect()
}
