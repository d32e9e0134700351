//! Asks the service how a run that is held goes on. Speaks three operations of the API with the job's own token, and outlasts restarts.

mod http;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::Method;
use async_trait::async_trait;
use kernels::{Answer, Held, Hold, HoldEnd};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use self::http::{Failure, Http};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a service that has never answered is waited for.
const NEVER_THERE: Duration = Duration::from_mins(30);
/// What the service keeps of each text.
const MOST_CHARS: usize = 2000;

/// The service that the job belongs to.
pub(crate) struct Service {
    http: Arc<Http>,
    asked: Mutex<Asked>,
    /// Whether it has ever answered.
    is_there: AtomicBool,
    /// Words that are still on their way.
    words: Mutex<Vec<JoinHandle<bool>>>,
}

/// What was asked last.
#[derive(Default)]
struct Asked {
    hold: u32,
    since: Option<Instant>,
    /// The number of the answer that came.
    answer: i64,
}

#[derive(Deserialize)]
struct Answered {
    answer: i64,
    notebook: Option<Box<RawValue>>,
}

impl Service {
    /// The service that the attempt's environment names.
    pub(crate) fn given() -> Result<Self, String> {
        Ok(Self {
            http: Arc::new(Http::given()?),
            asked: Mutex::default(),
            is_there: AtomicBool::new(false),
            words: Mutex::default(),
        })
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the service is told. The time that is left is counted here: the two clocks may differ.
    fn told(&self, held: &Held, refused: Option<&str>) -> Value {
        let mut asked = self.asked();
        if asked.hold != held.number {
            *asked = Asked {
                hold: held.number,
                since: Some(Instant::now()),
                answer: 0,
            };
        }
        let gone = asked.since.map_or(Duration::ZERO, |since| since.elapsed());
        let gone_ms = u64::try_from(gone.as_millis()).unwrap_or(u64::MAX);
        json!({
            "number": held.number,
            "cell_number": held.cell.number,
            "cells": held.cell.total,
            "title": cut(&held.cell.title),
            "ename": cut(&held.ename),
            "message": cut(&held.message),
            "limit_ms": held.limit_ms.saturating_sub(gone_ms).max(1),
            "refused": refused.map(|reason| json!({"answer": asked.answer, "reason": cut(reason)})),
        })
    }

    async fn answer(&self, held: &Held) -> Result<Option<Answer>, Failure> {
        let path = format!("hold/answer?number={}", held.number);
        let body = self.http.send(Method::GET, &path, None).await?;
        if body.is_empty() {
            return Ok(None);
        }
        let read = serde_json::from_slice::<Answered>(&body);
        let read = read.map_err(|error| Failure::Passing(error.to_string()))?;
        self.asked().answer = read.answer;
        let notebook = read.notebook.map(|notebook| notebook.get().to_owned());
        Ok(Some(Answer::Resume(notebook)))
    }
}

/// Of what a cell says of its failure the service keeps as much; the notebook has all of it.
fn cut(text: &str) -> String {
    text.chars().take(MOST_CHARS).collect()
}

/// Pauses that grow while the service is away.
struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    async fn take(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

#[async_trait]
impl Hold for Service {
    async fn ask(&self, held: &Held, refused: Option<&str>) -> Answer {
        let mut pause = Pause::new();
        let mut is_told = false;
        let began = Instant::now();
        loop {
            let answer = if is_told {
                self.answer(held).await
            } else {
                let told = self.told(held, refused);
                let sent = self.http.send(Method::PUT, "hold", Some(&told)).await;
                sent.map(|_| None)
            };
            match answer {
                Ok(Some(answer)) => return answer,
                Ok(None) => {
                    self.is_there.store(true, Ordering::Relaxed);
                    // Some proxies answer at once where others wait: nobody is to be asked more often than this.
                    sleep(FIRST_PAUSE).await;
                    is_told = true;
                    pause = Pause::new();
                }
                Err(Failure::Refused { message, .. }) => return Answer::GiveUp(message),
                // One that was never there may never be: nobody could resume the run, and it costs a machine.
                Err(Failure::Passing(why))
                    if !self.is_there.load(Ordering::Relaxed) && began.elapsed() > NEVER_THERE =>
                {
                    return Answer::GiveUp(format!("the service cannot be told: {why}"));
                }
                Err(Failure::Passing(_)) => pause.take().await,
            }
        }
    }

    async fn over(&self, held: &Held, end: HoldEnd) -> bool {
        let path = format!("hold?number={}&end={}", held.number, end.word());
        let http = Arc::clone(&self.http);
        let told = async move {
            let mut pause = Pause::new();
            loop {
                match http.send(Method::DELETE, &path, None).await {
                    Ok(_) => return true,
                    Err(Failure::Refused { is_conflict, .. }) => return !is_conflict,
                    Err(Failure::Passing(_)) => pause.take().await,
                }
            }
        };
        if end == HoldEnd::Resumed {
            // The run goes on meanwhile, however long the service is away.
            let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
            words.push(tokio::spawn(told));
            return true;
        }
        told.await
    }

    async fn settled(&self) {
        let words = std::mem::take(&mut *self.words.lock().unwrap_or_else(PoisonError::into_inner));
        for word in words {
            drop(word.await);
        }
    }
}
