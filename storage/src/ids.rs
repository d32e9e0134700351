//! Typed ids: `UUIDv7` text, one type for each kind of record, so that one cannot stand for another.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU16, Ordering};

use serde::{Deserialize, Serialize};
use sqlx::Database;
use sqlx::any::{Any, AnyTypeInfo};
use uuid::{Builder, Uuid};

use crate::clock::Clock;
use crate::error::Error;

/// Orders ids made within one millisecond by one process.
static SEQUENCE: AtomicU16 = AtomicU16::new(0);

#[expect(
    clippy::expect_used,
    reason = "a process without randomness must not go on"
)]
fn mint(clock: &dyn Clock) -> Uuid {
    let mut random = [0_u8; 10];
    getrandom::fill(&mut random).expect("the system gives random bytes");
    random[..2].copy_from_slice(&SEQUENCE.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let now_ms = u64::try_from(clock.now_ms()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid()
}

/// Accepts only the form we print, so that one record has one name.
fn parse(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    let canonical = id.get_version_num() == 7
        && id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text;
    canonical.then_some(id)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        ///
        /// Its text is a lower-case `UUIDv7` with hyphens; any other text is refused. Later ids sort after earlier ones.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new id.
            pub fn new(clock: &dyn Clock) -> Self {
                Self(mint(clock))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                parse(text).map(Self).ok_or_else(|| Error::invalid("this is not an id"))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl sqlx::Type<Any> for $name {
            fn type_info() -> AnyTypeInfo {
                <String as sqlx::Type<Any>>::type_info()
            }
        }

        impl sqlx::Encode<'_, Any> for $name {
            fn encode_by_ref(
                &self,
                buffer: &mut <Any as Database>::ArgumentBuffer,
            ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                sqlx::Encode::<Any>::encode(self.to_string(), buffer)
            }
        }
    )*};
}

ids! {
    /// A key that is written to the bucket of the store.
    BucketKeyId,
    /// A person.
    UserId,
    /// A sign-in of a browser.
    SessionId,
    /// A browser's sign-in to the origin of one workspace.
    WorkspaceSessionId,
    /// A personal, workspace or job token.
    TokenId,
    /// A one-use link.
    LinkId,
    /// A device-code sign-in.
    DeviceId,
    /// A project.
    ProjectId,
    /// A workspace.
    WorkspaceId,
    /// A snapshot.
    SnapshotId,
    /// A snapshot of a home.
    HomeSnapshotId,
    /// A job.
    JobId,
    /// One try at carrying out a job.
    AttemptId,
    /// A content upload.
    UploadId,
    /// A dataset.
    DatasetId,
    /// A version of a dataset.
    VersionId,
    /// How a prefix of a bucket becomes a version of a dataset.
    AdoptionId,
    /// One move of an alias of a dataset.
    AliasMoveId,
    /// A line of the audit record.
    AuditId,
    /// A host that runs work.
    MachineId,
    /// What one run holds of a machine.
    LeaseId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Fixed;

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let clock = Fixed::at(1_790_000_000_000);
        let first = JobId::new(&clock);
        clock.advance(1);
        assert!(first < JobId::new(&clock));
        assert!(first.to_string() < JobId::new(&clock).to_string());
    }

    #[test]
    fn text_round_trips() {
        let id = JobId::new(&Fixed::at(1_790_000_000_000));
        assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<JobId>(&json).unwrap(), id);
    }

    #[test]
    fn other_spellings_are_refused() {
        let id = JobId::new(&Fixed::at(1_790_000_000_000)).to_string();
        let spellings = [
            id.to_uppercase(),
            id.replace('-', ""),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
        ];
        for text in spellings.iter().map(String::as_str).chain([
            "",
            "..",
            "67e55044-10b1-426f-9247-bb680e5fe0c8",
        ]) {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
    }
}
