//! The project's own commands as a library, so that they can be tested like one.
//!
//! Command lines are parsed in `main`; each command has one module here.

pub mod diff;
