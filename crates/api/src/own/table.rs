//! The table of our operations: method, path, who answers, and what the document
//! says of it. Each part of the program has a page of it.

pub(super) mod data;
pub(super) mod models;
pub(super) mod automation;
pub(super) mod house;
