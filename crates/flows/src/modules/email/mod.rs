//! Mail.
//!
//! A module plans a [`MailCall`]; the engine composes it ([`compose`]) when the
//! connection is open, because that knows who sends, and hands it to the mail
//! server. The name of the mail (`Message-ID`) is the key of the operation, so
//! that a repetition can be told from another mail.

mod compose;
pub mod send_email;

use bytes::Bytes;

pub(crate) use compose::compose;

/// A mail, planned. Addresses are as people write them: `Ann <ann@x.example>`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MailCall {
    /// The connection, of kind `smtp`.
    pub connection: String,
    /// Who sends; nothing for the one whom the connection names.
    pub from: Option<String>,
    /// Who hands it in, where that is somebody else.
    pub sender: Option<String>,
    /// Who gets it.
    pub to: Vec<String>,
    /// Who gets it too.
    pub cc: Vec<String>,
    /// Who gets it and is not named in it.
    pub bcc: Vec<String>,
    /// Who gets the answers.
    pub reply_to: Option<String>,
    /// One line.
    pub subject: String,
    /// The text, for programs that show no HTML.
    pub text: Option<String>,
    /// The same as HTML.
    pub html: Option<String>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Name of the mail that it answers.
    pub in_reply_to: Option<String>,
    /// Names of the mails before it.
    pub references: Vec<String>,
    /// How much it hurries.
    pub priority: Priority,
    /// Further headers.
    pub headers: Vec<(String, String)>,
}

/// A file that goes with a mail.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    /// Its name.
    pub file_name: String,
    /// What is in it.
    pub data: Bytes,
    /// Under which name the HTML shows it, `cid:name`; nothing for a file that
    /// is only attached.
    pub cid: Option<String>,
}

/// How much a mail hurries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// It says so.
    High,
    /// It says nothing.
    #[default]
    Normal,
    /// It says that it can wait.
    Low,
}

#[cfg(test)]
mod tests;
