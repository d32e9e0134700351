//! How `cairn` ends: what a job's ending means as an exit status.

use std::process::ExitCode;

use crate::api::types::Job;

/// Cairn itself failed, as opposed to the job.
pub(crate) const OWN_FAILURE: u8 = 125;
/// The job was stopped, or the person stopped waiting for it.
pub(crate) const STOPPED: u8 = 130;

/// The status of `run --wait` for a job that has ended.
///
/// The job's own exit code, 128 + the signal that ended it, 130 when it was stopped, and 125 when it never came to an ending of its own
/// (it could not be started, it was lost, or its outputs could not be kept).
pub(crate) fn of_job(job: &Job) -> u8 {
    match job.state.as_str() {
        "complete" => 0,
        "stopped" => STOPPED,
        "error" => of_failure(job.exit_code, job.signal),
        _ => OWN_FAILURE,
    }
}

fn of_failure(exit_code: Option<i64>, signal: Option<i64>) -> u8 {
    if let Some(signal) = signal
        .and_then(|signal| u8::try_from(signal).ok())
        .filter(|signal| (1..=127).contains(signal))
    {
        return 128 + signal;
    }
    match exit_code.map(u8::try_from) {
        Some(Ok(code)) if code != 0 => code,
        // Zero or no status, and yet an error: the command did its part and Cairn did not.
        _ => OWN_FAILURE,
    }
}

/// An `ExitCode` from a plain number.
pub(crate) fn code(number: u8) -> ExitCode {
    ExitCode::from(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: &str, exit_code: Option<i64>, signal: Option<i64>) -> Job {
        serde_json::from_value(serde_json::json!({
            "id": "x", "number": 1, "project": "p", "state": state, "exit_code": exit_code, "signal": signal,
        }))
        .unwrap()
    }

    #[test]
    fn a_complete_job_is_success() {
        assert_eq!(of_job(&job("complete", Some(0), None)), 0);
    }

    #[test]
    fn a_failed_command_gives_its_own_code() {
        assert_eq!(of_job(&job("error", Some(3), None)), 3);
        assert_eq!(of_job(&job("error", Some(255), None)), 255);
    }

    #[test]
    fn a_signal_is_added_to_128() {
        assert_eq!(of_job(&job("error", None, Some(9))), 137);
        assert_eq!(of_job(&job("error", Some(0), Some(15))), 143);
    }

    #[test]
    fn a_stopped_job_is_130_however_it_ended() {
        assert_eq!(of_job(&job("stopped", None, Some(15))), STOPPED);
        assert_eq!(of_job(&job("stopped", Some(0), None)), STOPPED);
    }

    #[test]
    fn an_error_that_is_not_the_commands_is_cairns_own() {
        assert_eq!(of_job(&job("error", None, None)), OWN_FAILURE);
        assert_eq!(of_job(&job("error", Some(0), None)), OWN_FAILURE);
        assert_eq!(of_job(&job("error", Some(4096), Some(4096))), OWN_FAILURE);
    }
}
