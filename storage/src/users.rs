//! People: their names, whether they administer, and the hash of their password. It never sees a password.

use serde::Serialize;

use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, required, sql};
use crate::error::{Error, Result};
use crate::events::{Kind, Notice};
use crate::ids::UserId;
use crate::list::{List, Page};
use crate::names;
use crate::sessions;

const DISPLAY_NAME_BYTES: usize = 200;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Their id, which never changes.
    pub id: UserId,
    /// Their name in paths and commands; unique.
    pub name: String,
    /// Their name for people.
    pub display_name: String,
    /// Whether they may do everything an administrator may.
    pub admin: bool,
    /// Whether they are kept out.
    pub disabled: bool,
    /// Whether they can sign in with a password.
    pub has_password: bool,
    /// When they were made, in milliseconds UTC.
    pub created_ms: i64,
}

/// A person to make.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// See [`User::name`].
    pub name: String,
    /// See [`User::display_name`]; the name where it is empty.
    pub display_name: String,
    /// See [`User::admin`].
    pub admin: bool,
}

/// What to change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// See [`User::display_name`].
    pub display_name: Option<String>,
    /// See [`User::admin`].
    pub admin: Option<bool>,
    /// See [`User::disabled`].
    pub disabled: Option<bool>,
}

impl Record for User {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            name: row.text("name")?,
            display_name: row.text("display_name")?,
            admin: row.flag("admin")?,
            disabled: row.flag("disabled")?,
            has_password: row.flag("has_password")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, display_name, admin, disabled, created_ms, \
             CASE WHEN password_hash IS NULL THEN 0 ELSE 1 END AS has_password FROM users ",
            $rest
        )
    };
}

/// Makes a person, without a password.
///
/// # Errors
/// `Invalid` for a name against the rule, `Conflict` for one in use.
pub async fn create(tx: &mut Tx, new: &NewUser) -> Result<User> {
    names::check("user", &new.name)?;
    let display_name = if new.display_name.is_empty() {
        &new.name
    } else {
        &new.display_name
    };
    names::check_text("display name", display_name, DISPLAY_NAME_BYTES)?;
    let id = UserId::new(tx.clock());
    let slot = "UPDATE counters SET value = value + 1 WHERE name = 'uid_slots' RETURNING value - 1";
    let slot: i64 = required(&mut *tx, sql(slot)).await?;
    let text = "INSERT INTO users (id, name, display_name, admin, disabled, uid_slot, created_ms) VALUES ($1, $2, $3, $4, 0, $5, $6) \
         ON CONFLICT (name) DO NOTHING";
    let query = sql(text)
        .bind(id)
        .bind(new.name.as_str())
        .bind(display_name.as_str())
        .bind(i64::from(new.admin))
        .bind(slot)
        .bind(tx.now_ms());
    if execute(tx, query).await? == 0 {
        return Err(Error::conflict("a user with this name exists"));
    }
    changed(tx, id);
    must_get(tx, id).await
}

/// The person with this id.
pub async fn get<'c>(from: impl Read<'c>, id: UserId) -> Result<Option<User>> {
    optional(from, sql(select!("WHERE id = $1")).bind(id)).await
}

/// Which of the uids for work this person's servers and attempts get; from 0 without gaps, never given to another person.
pub async fn uid_slot<'c>(from: impl Read<'c>, id: UserId) -> Result<Option<i64>> {
    optional(
        from,
        sql("SELECT uid_slot FROM users WHERE id = $1").bind(id),
    )
    .await
}

/// The person with this name.
pub async fn by_name<'c>(from: impl Read<'c>, name: &str) -> Result<Option<User>> {
    optional(from, sql(select!("WHERE name = $1")).bind(name)).await
}

/// Everybody, newest first.
pub async fn list(db: &Db, page: &Page) -> Result<List<User>> {
    let query = sql(select!(
        "WHERE ($1 IS NULL OR id < $1) ORDER BY id DESC LIMIT $2"
    ));
    let items = all(db, query.bind(page.after::<UserId>()?).bind(page.fetch())).await?;
    Ok(List::cut(items, page, |user: &User| user.id))
}

/// The hash of the person's password, in the form its maker gave it.
pub async fn password_hash<'c>(from: impl Read<'c>, id: UserId) -> Result<Option<String>> {
    optional(
        from,
        sql("SELECT password_hash FROM users WHERE id = $1 AND password_hash IS NOT NULL").bind(id),
    )
    .await
}

/// Sets the hash of the person's password, or takes it away.
///
/// # Errors
/// `NotFound` for an unknown id.
pub async fn set_password_hash(tx: &mut Tx, id: UserId, hash: Option<&str>) -> Result<()> {
    let query = sql("UPDATE users SET password_hash = $2 WHERE id = $1")
        .bind(id)
        .bind(hash.map(str::to_owned));
    found(execute(tx, query).await?)?;
    changed(tx, id);
    Ok(())
}

/// Whether an administrator who is not disabled has a password: until then every start makes a sign-in link.
pub async fn admin_has_password<'c>(from: impl Read<'c>) -> Result<bool> {
    let text =
        "SELECT COUNT(*) FROM users WHERE admin = 1 AND disabled = 0 AND password_hash IS NOT NULL";
    Ok(optional::<i64>(from, sql(text)).await?.unwrap_or_default() > 0)
}

/// The oldest administrator who is not disabled.
pub async fn first_admin<'c>(from: impl Read<'c>) -> Result<Option<User>> {
    optional(
        from,
        sql(select!(
            "WHERE admin = 1 AND disabled = 0 ORDER BY id LIMIT 1"
        )),
    )
    .await
}

/// Changes a person. Disabling them ends all their sessions; their tokens do not work until they are enabled again.
///
/// # Errors
/// `NotFound` for an unknown id; `Conflict` where no administrator would be left.
pub async fn update(tx: &mut Tx, id: UserId, change: &Change) -> Result<User> {
    if let Some(name) = &change.display_name {
        names::check_text("display name", name, DISPLAY_NAME_BYTES)?;
    }
    let before = must_get(tx, id).await?;
    let text = "UPDATE users SET display_name = COALESCE($2, display_name), admin = COALESCE($3, admin), \
         disabled = COALESCE($4, disabled) WHERE id = $1";
    let query = sql(text).bind(id).bind(change.display_name.clone());
    execute(
        tx,
        query
            .bind(change.admin.map(i64::from))
            .bind(change.disabled.map(i64::from)),
    )
    .await?;
    let loses = change.admin == Some(false) || change.disabled == Some(true);
    if loses && before.admin && !before.disabled {
        keep_an_admin(tx).await?;
    }
    if change.disabled == Some(true) {
        sessions::revoke_all(tx, id).await?;
    }
    changed(tx, id);
    must_get(tx, id).await
}

/// Locks every administrator's row, so that two transactions cannot each take away "the other" last one.
async fn keep_an_admin(tx: &mut Tx) -> Result<()> {
    if execute(
        tx,
        sql("UPDATE users SET admin = admin WHERE admin = 1 AND disabled = 0"),
    )
    .await?
        == 0
    {
        return Err(Error::conflict("the last administrator must stay"));
    }
    Ok(())
}

async fn must_get(tx: &mut Tx, id: UserId) -> Result<User> {
    get(tx, id)
        .await?
        .ok_or_else(|| Error::not_found("there is no such user"))
}

fn found(rows: u64) -> Result<()> {
    if rows == 0 {
        Err(Error::not_found("there is no such user"))
    } else {
        Ok(())
    }
}

fn changed(tx: &mut Tx, id: UserId) {
    tx.notice(Notice {
        kind: Kind::UserChanged,
        project_id: None,
        user_id: Some(id),
        subject: id.to_string(),
    });
}
