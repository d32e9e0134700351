//! Device-code sign-in: a program shows a short code, its user approves it in a browser, and the program gets a token.
//!
//! Source: RFC 8628, sections 3.1 to 3.5.

use serde::Serialize;

use crate::db::{Db, Read, Record, Row, Tx, execute, optional, sql};
use crate::error::{Error, Result};
use crate::ids::{DeviceId, UserId};
use crate::names::{self, named};
use crate::secret::{Secret, hash, user_code};

const NAME_BYTES: usize = 100;
const CODE_TRIES: u32 = 8;

named! {
    /// How far a device sign-in has come.
    State {
        /// Nobody has answered.
        Pending = "pending",
        /// Somebody approved it; the program has not asked since.
        Approved = "approved",
        /// The program has its token.
        Used = "used",
        /// Somebody refused it.
        Denied = "denied",
    }
}

/// A device sign-in under way, as the person sees it who is to approve it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// The code that the program shows: `BCDF-GHJK`.
    pub user_code: String,
    /// What the program calls itself.
    pub name: String,
    /// Who approved it.
    pub user_id: Option<UserId>,
    /// How far it has come.
    pub state: State,
    /// When it began, in milliseconds UTC.
    pub created_ms: i64,
    /// When it ends unanswered.
    pub expires_ms: i64,
}

/// What the program learns when it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// Ask again later.
    Pending,
    /// This user approved; told once, so make the token in the same transaction.
    Approved(UserId),
    /// Somebody refused.
    Denied,
    /// The code is unknown, too old or used.
    Gone,
}

impl Record for Device {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            user_code: row.text("user_code")?,
            name: row.text("name")?,
            user_id: row.maybe_parsed("user_id")?,
            state: row.parsed("state")?,
            created_ms: row.int("created_ms")?,
            expires_ms: row.int("expires_ms")?,
        })
    }
}

/// Begins a device sign-in that can be approved within `ttl_ms`; the secret is for the program alone.
///
/// # Errors
/// `Invalid` for a name that cannot be shown.
pub async fn create(tx: &mut Tx, name: &str, ttl_ms: i64) -> Result<(Device, Secret)> {
    names::check_text("name of a program", name, NAME_BYTES)?;
    let (id, secret, now_ms) = (DeviceId::new(tx.clock()), Secret::mint(), tx.now_ms());
    let text = "INSERT INTO devices (id, device_hash, user_code, name, state, created_ms, expires_ms) \
         VALUES ($1, $2, $3, $4, 'pending', $5, $6) ON CONFLICT (user_code) DO NOTHING RETURNING *";
    for _ in 0..CODE_TRIES {
        let query = sql(text)
            .bind(id)
            .bind(secret.hash())
            .bind(user_code())
            .bind(name)
            .bind(now_ms);
        if let Some(device) = optional(&mut *tx, query.bind(now_ms.saturating_add(ttl_ms))).await? {
            return Ok((device, secret));
        }
    }
    Err(Error::Unavailable {
        message: "no free device code was found".to_owned(),
        source: None,
    })
}

/// The sign-in under way with this code, as typed: in any case, with or without its hyphen.
pub async fn by_code(db: &Db, code: &str) -> Result<Option<Device>> {
    let text =
        "SELECT * FROM devices WHERE user_code = $1 AND expires_ms > $2 AND state = 'pending'";
    optional(db, sql(text).bind(canonical(code)).bind(db.now_ms())).await
}

/// Approves a sign-in for a user. Returns whether it was pending.
pub async fn approve(tx: &mut Tx, code: &str, user_id: UserId) -> Result<bool> {
    let text = "UPDATE devices SET state = 'approved', user_id = $2 WHERE user_code = $1 AND state = 'pending' AND expires_ms > $3";
    let query = sql(text)
        .bind(canonical(code))
        .bind(user_id)
        .bind(tx.now_ms());
    Ok(execute(tx, query).await? > 0)
}

/// Refuses a sign-in. Returns whether it was pending.
pub async fn deny(tx: &mut Tx, code: &str) -> Result<bool> {
    let text = "UPDATE devices SET state = 'denied' WHERE user_code = $1 AND state = 'pending' AND expires_ms > $2";
    Ok(execute(tx, sql(text).bind(canonical(code)).bind(tx.now_ms())).await? > 0)
}

/// What the program that holds this secret called itself.
pub async fn name<'c>(from: impl Read<'c>, secret: &str) -> Result<Option<String>> {
    let text = "SELECT name FROM devices WHERE device_hash = $1";
    optional(from, sql(text).bind(hash(secret))).await
}

/// Answers the program. An approval is told to one caller only.
pub async fn poll(tx: &mut Tx, secret: &str) -> Result<Poll> {
    let (device_hash, now_ms) = (hash(secret), tx.now_ms());
    let text = "UPDATE devices SET state = 'used' WHERE device_hash = $1 AND state = 'approved' AND expires_ms > $2 RETURNING user_id";
    if let Some(user_id) =
        optional::<String>(&mut *tx, sql(text).bind(device_hash.clone()).bind(now_ms)).await?
    {
        return Ok(Poll::Approved(user_id.parse()?));
    }
    let text = "SELECT * FROM devices WHERE device_hash = $1 AND expires_ms > $2";
    let found: Option<Device> = optional(tx, sql(text).bind(device_hash).bind(now_ms)).await?;
    Ok(match found.map(|device| device.state) {
        Some(State::Pending | State::Approved) => Poll::Pending,
        Some(State::Denied) => Poll::Denied,
        Some(State::Used) | None => Poll::Gone,
    })
}

fn canonical(code: &str) -> String {
    let letters: String = code
        .chars()
        .filter(char::is_ascii_alphabetic)
        .take(9)
        .collect::<String>()
        .to_ascii_uppercase();
    match letters.split_at_checked(4) {
        Some((first, second)) => format!("{first}-{second}"),
        None => letters,
    }
}
