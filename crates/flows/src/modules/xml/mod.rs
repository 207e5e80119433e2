//! XML documents.

pub mod parse;
pub mod transform;
