//! Jupyter for Cairn: notebook documents, kernels, and headless runs of notebooks. Knows nothing of projects, jobs, users or
//! storage: it is given paths and gives an outcome.

mod client;
mod clock;
mod command;
mod error;
pub mod export;
mod hold;
mod kernelspec;
mod lenient;
mod literal;
pub mod notebook;
mod outputs;
mod process;
pub mod promote;
mod python;
mod run;
mod save;
mod sink;
mod stop;
mod translate;
mod widgets;

pub use crate::command::{ExecuteArgs, HtmlArgs, main_execute, main_html};
pub use crate::error::{Error, Result};
pub use crate::hold::{Answer, Held, Hold, HoldEnd};
pub use crate::literal::Literal;
pub use crate::run::{At, Execute, Outcome, execute};
pub use crate::stop::Stop;
