//! The port through which mail leaves.

use crate::BoxFuture;

/// A mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Addresses, at least one.
    pub to: Vec<String>,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML, if there is any.
    pub html: Option<String>,
}

/// Says why a mail was not taken by the mail server.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the mail \"{subject}\" was not accepted: {detail}")]
pub struct MailError {
    /// Subject of the mail.
    pub subject: String,
    /// What the mail server said.
    pub detail: String,
    /// Trying again may help.
    pub transient: bool,
}

/// Hands mail to a mail server.
pub trait Mailer: Send + Sync {
    /// Sends one mail; returns when the server has taken responsibility for it.
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>>;
}
