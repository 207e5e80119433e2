//! Modules of our own.

pub mod signal;
pub mod manual;
pub mod repeat_until;
pub mod fail;
