//! How a run's end is put into one record and into words.

use super::prepare::Refusal;
use crate::clock;
use crate::status::{Exit, Failure, Reason};

/// The longest message, in bytes.
const MESSAGE_BYTES: usize = 4096;
const SIGKILL: i32 = 9;

/// How the end came about, as far as it is known.
#[derive(Default)]
pub(super) struct Ended {
    /// The command's own exit status and signal.
    pub(super) command: Option<(Option<i32>, Option<i32>)>,
    /// The launcher's, which says little but may be all there is.
    pub(super) launcher: Option<(Option<i32>, Option<i32>)>,
    /// Why it was ended from here.
    pub(super) asked: Option<(Reason, String)>,
    /// Why it never began, or never answered.
    pub(super) failure: Option<Refusal>,
    /// Whether the command began.
    pub(super) begun: bool,
    pub(super) oom_kills: u64,
    /// Whether it is a container.
    pub(super) contained: bool,
}

impl Ended {
    /// The record; `tail` is the log's last lines, which explain a failed start.
    pub(super) fn exit(&self, tail: &str) -> Exit {
        let (code, signal) = self.command.unwrap_or_default();
        let reason = self.reason();
        let mut message = self.message(reason);
        let failure = (reason == Reason::StartFailed).then(|| {
            self.failure
                .as_ref()
                .map_or(Failure::SandboxFailed, |f| f.0)
        });
        if failure.is_some() && !tail.is_empty() {
            message = format!("{message} The log ends with:\n{tail}");
        }
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        Exit {
            code,
            signal,
            reason,
            failure,
            message,
            ended_ms: clock::now_ms(),
        }
    }

    /// The last line for the log, where the end is not simply the command's.
    pub(super) fn note(&self) -> Option<String> {
        match self.reason() {
            // Said when it was asked for.
            Reason::Stopped | Reason::TimeLimit => None,
            Reason::Exited if self.command.is_some() && self.oom_kills == 0 => None,
            reason => Some(self.message(reason)),
        }
    }

    fn reason(&self) -> Reason {
        if self.failure.is_some() {
            return Reason::StartFailed;
        }
        if let Some((reason, _)) = &self.asked {
            return *reason;
        }
        if !self.begun {
            return Reason::StartFailed;
        }
        let killed = self
            .command
            .is_none_or(|(code, signal)| signal == Some(SIGKILL) || code == Some(128 + SIGKILL));
        if killed && self.oom_kills > 0 {
            Reason::Oom
        } else if self.contained && self.command.is_none() {
            Reason::Lost
        } else {
            Reason::Exited
        }
    }

    fn message(&self, reason: Reason) -> String {
        match (reason, &self.failure, &self.asked) {
            (Reason::StartFailed, Some((_, message)), _)
            | (Reason::Stopped | Reason::TimeLimit, _, Some((_, message))) => message.clone(),
            (Reason::StartFailed, None, _) if self.contained => {
                "The container ended before its command began.".to_owned()
            }
            (Reason::StartFailed, None, _) => "The sandbox could not be made.".to_owned(),
            (Reason::Lost, ..) => {
                "Its container was ended from outside, as by a restart of the container engine."
                    .to_owned()
            }
            (Reason::Oom, ..) => {
                "It was ended because it needed more memory than it may have.".to_owned()
            }
            _ => self.ordinary_message(),
        }
    }

    fn ordinary_message(&self) -> String {
        let mut message = match self.command {
            Some((Some(code), _)) => format!("The command ended with status {code}."),
            Some((_, Some(signal))) => format!("The command was ended by signal {signal}."),
            _ => match self.launcher {
                Some((_, Some(signal))) => format!("Its sandbox was ended by signal {signal}."),
                _ => "It was ended from outside.".to_owned(),
            },
        };
        if self.oom_kills > 0 {
            let count = self.oom_kills;
            let more = format!(" The kernel ended {count} of its processes for lack of memory.");
            message.push_str(&more);
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Ended {
        Ended {
            begun: true,
            ..Ended::default()
        }
    }

    #[test]
    fn a_stop_that_ends_with_status_zero_is_still_a_stop() {
        let ended = Ended {
            command: Some((Some(0), None)),
            asked: Some((Reason::Stopped, "x".into())),
            ..begun()
        };
        assert_eq!(
            (ended.exit("").reason, ended.exit("").code),
            (Reason::Stopped, Some(0))
        );
    }

    #[test]
    fn a_killed_helper_does_not_make_an_oom_of_a_clean_exit() {
        let ended = Ended {
            command: Some((Some(0), None)),
            oom_kills: 1,
            ..begun()
        };
        assert!(ended.exit("").success());
        assert!(ended.exit("").message.contains("1 of its processes"));
        let ended = Ended {
            command: Some((Some(137), None)),
            oom_kills: 1,
            ..begun()
        };
        assert_eq!(ended.exit("").reason, Reason::Oom);
    }

    #[test]
    fn a_start_that_says_nothing_is_the_sandbox_failing() {
        let exit = Ended::default().exit("bwrap: no");
        assert_eq!(
            (exit.reason, exit.failure),
            (Reason::StartFailed, Some(Failure::SandboxFailed))
        );
        assert!(exit.message.ends_with("bwrap: no"));
    }

    #[test]
    fn a_container_that_ends_without_a_word_is_lost() {
        let ended = Ended {
            contained: true,
            ..begun()
        };
        assert_eq!(ended.exit("").reason, Reason::Lost);
        let ended = Ended {
            oom_kills: 1,
            ..ended
        };
        assert_eq!(ended.exit("").reason, Reason::Oom);
    }

    #[test]
    fn messages_are_cut_between_characters() {
        let exit = Ended {
            failure: Some((Failure::Refused, "ü".repeat(4096))),
            ..Ended::default()
        }
        .exit("");
        assert_eq!(exit.message.len(), MESSAGE_BYTES);
    }
}
