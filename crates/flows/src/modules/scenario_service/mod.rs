//! Flows that call one another.

pub mod start;
pub mod call;
pub mod return_data;
