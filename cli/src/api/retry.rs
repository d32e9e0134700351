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
    run_with(PAUSES_MS, repeats, call).await
}

async fn run_with<T, F: Future<Output = anyhow::Result<T>>>(
    pauses_ms: [u64; 4],
    repeats: bool,
    call: impl Fn() -> F,
) -> anyhow::Result<T> {
    for pause in pauses_ms {
        let error = match call().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Some(pause) = pause_after(&error, repeats, Duration::from_millis(pause)) else {
            return Err(error);
        };
        tokio::time::sleep(pause).await;
    }
    call().await
}

/// How long to wait before the next try: as long as the server asked for, else `usual`. None where there shall be no next try.
fn pause_after(error: &anyhow::Error, repeats: bool, usual: Duration) -> Option<Duration> {
    let error = error.downcast_ref::<Error>()?;
    let asked_s = match error {
        Error::Refused { retry_after_s, .. } => *retry_after_s,
        _ => None,
    };
    let worth_it =
        error.is_passing(repeats) && asked_s.is_none_or(|seconds| seconds <= LONGEST_PAUSE_S);
    worth_it.then(|| asked_s.map_or(usual, Duration::from_secs))
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
        let result: anyhow::Result<()> = run_with([0; 4], repeats, || async {
            count.set(count.get() + 1);
            Err(lost(is_unsent))
        })
        .await;
        assert!(result.is_err());
        count.get()
    }

    #[tokio::test]
    async fn what_may_have_arrived_is_not_sent_twice() {
        assert_eq!(tries(false, false).await, 1);
        assert_eq!(tries(false, true).await, 5);
        assert_eq!(tries(true, false).await, 5);
    }

    #[tokio::test]
    async fn success_ends_the_trying() {
        let count = Cell::new(0);
        let value = run_with([0; 4], true, || async {
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
