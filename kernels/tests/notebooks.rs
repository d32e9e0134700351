//! Headless runs of notebooks with real kernels: each test runs the crate's command as a process of its own.

#[cfg(test)]
mod notebooks {
    pub(crate) mod bed;
    mod failures;
    pub(crate) mod hold;
    mod input;
    mod outputs;
    mod parameters;
    mod peer;
    mod promote;
    mod r;
    mod start;
}
