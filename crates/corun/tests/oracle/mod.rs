//! Programs, how they are run, and what the model says about it.

pub mod check;
pub mod program;
pub mod run;
