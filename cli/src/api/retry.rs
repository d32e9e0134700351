//! Trying again: a few times, a little later each time, and only where it is safe.

use std::time::Duration;

use super::Error;

const PAUSES_MS: [u64; 4] = [150, 400, 1_000, 2_000];
/// A server that asks for more patience than this is better told to the person.
const LONGEST_PAUSE_S: u64 = 20;

/// Runs a call until it succeeds, fails for good, or has been tried five times.
pub(super) async fn run<T, F: Future<Output = anyhow::Result<T>>>(
    repeats: bool,
    call: impl Fn() -> F,
) -> anyhow::Result<T> {
    for pause in PAUSES_MS {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Some(asked) = asked_pause(&error, repeats) else {
            return Err(error);
        };
        tokio::time::sleep(asked.unwrap_or(Duration::from_millis(pause))).await;
    }
    call().await
}

/// `None`: do not try again. `Some(None)`: after our own pause. `Some(pause)`: the server named one.
fn asked_pause(error: &anyhow::Error, repeats: bool) -> Option<Option<Duration>> {
    let error = error
        .downcast_ref::<Error>()
        .filter(|error| error.is_passing(repeats))?;
    match error {
        Error::Refused {
            retry_after_s: Some(seconds),
            ..
        } if *seconds > LONGEST_PAUSE_S => None,
        Error::Refused {
            retry_after_s: Some(seconds),
            ..
        } => Some(Some(Duration::from_secs(*seconds))),
        _ => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn lost(is_unsent: bool) -> anyhow::Error {
        Error::Unreachable {
            url: "u".into(),
            reason: "r".into(),
            is_unsent,
        }
        .into()
    }

    async fn tries(repeats: bool, is_unsent: bool) -> u32 {
        let count = Cell::new(0);
        let result: anyhow::Result<()> = run(repeats, || async {
            count.set(count.get() + 1);
            Err(lost(is_unsent))
        })
        .await;
        assert!(result.is_err());
        count.get()
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_arrived_is_not_sent_twice() {
        assert_eq!(tries(false, false).await, 1);
        assert_eq!(tries(false, true).await, 5);
        assert_eq!(tries(true, false).await, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn success_ends_the_trying() {
        let count = Cell::new(0);
        let value = run(true, || async {
            count.set(count.get() + 1);
            if count.get() < 3 {
                Err(lost(false))
            } else {
                Ok(count.get())
            }
        });
        assert_eq!(value.await.unwrap(), 3);
    }
}
