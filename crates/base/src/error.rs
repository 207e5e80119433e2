//! What an error is, for code that reacts to it.
//!
//! Each crate has one error enum of its own, rich in variants. What all of
//! them share is small: a [`Kind`] out of a closed set, which the HTTP edge
//! turns into a status, and a stable kebab-case code, which documentation and
//! clients may rely on. The text is free to change; kind and code are not.

use std::error::Error;
use std::fmt;

/// The closed set of things that can be wrong, each with what the caller
/// should do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Correct the request (400).
    Invalid,
    /// Present credentials (401).
    Unauthenticated,
    /// Ask for the permission (403).
    Denied,
    /// Check the id (404).
    NotFound,
    /// Read again, then decide (409).
    Conflict,
    /// Stop: it will not come back (410).
    Gone,
    /// Send less (413).
    TooLarge,
    /// Slow down (429).
    TooMany,
    /// Try later (503).
    Unavailable,
    /// Report the request id (500).
    Internal,
}

/// An error that code can react to without reading its text.
pub trait Coded: Error + Send + Sync + 'static {
    /// Returns what the caller should do about it.
    fn kind(&self) -> Kind;
    /// Returns the stable kebab-case slug, such as `subscription-suspended`.
    fn code(&self) -> &'static str;
    /// Returns what the caller can do instead, as a part of a sentence, where
    /// that is not plain.
    fn advice(&self) -> Option<&'static str> {
        None
    }
}

/// Shows an error with all its causes on one line, for the one place that logs it.
pub fn chain(error: &dyn Error) -> impl fmt::Display + '_ {
    Chain(error)
}

struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
