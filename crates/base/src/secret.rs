//! Text that must not be seen.
//!
//! A [`Secret`] has no `Debug`, no `Display` and no serde: whoever needs the
//! text calls [`Secret::expose`], and that call can be searched for. At rest
//! secrets are sealed by a [`KeyRing`] (see [`Sealed`]).

use zeroize::Zeroizing;

/// A text that never reaches a log, an error or a `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// Returns the text. Every call is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
