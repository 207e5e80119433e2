//! The ports through which mail leaves: [`Mailer`] for what the program itself
//! has to tell, through the mail server of its configuration, and [`Post`] for
//! what users send, through servers of theirs.

use std::time::Duration;

use bytes::Bytes;

use crate::http::HttpError;
use crate::{BoxFuture, Secret};

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

/// A mail server of somebody's.
#[derive(Clone)]
pub struct MailServer {
    /// Its name, which its certificate must bear.
    pub host: String,
    /// 587, 465 or 25, as a rule.
    pub port: u16,
    /// How the way there is protected.
    pub security: MailSecurity,
    /// Who we are to it; nothing where it asks nobody.
    pub login: Option<MailLogin>,
}

/// Who we are to a mail server.
#[derive(Clone)]
pub struct MailLogin {
    /// The name.
    pub user: String,
    /// The password. It is sent over TLS only, or to our own machine.
    pub password: Secret,
}

/// How the way to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// Not at all.
    None,
    /// The connection turns to TLS before anything is said.
    StartTls,
    /// It speaks TLS from its beginning.
    Implicit,
}

/// A mail as it goes over the wire.
#[derive(Clone)]
pub struct Letter {
    /// Address of the sender.
    pub from: String,
    /// Addresses of everybody who gets it, those included whom its text does
    /// not name.
    pub to: Vec<String>,
    /// Headers and body (RFC 5322).
    pub message: Bytes,
}

/// Says why a mail server did not take a mail, or did not let us in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PostError {
    /// There was no connection, or it was not allowed. Nothing was sent.
    #[error(transparent)]
    Unreached(#[from] HttpError),
    /// The server did not accept who we are. Nothing was sent.
    #[error("the mail server refused the login: {text}")]
    Login {
        /// Code and text of its answer.
        text: String,
    },
    /// The server said no. Nothing was sent.
    #[error("the mail server refused {what}: {text}")]
    Refused {
        /// What it did not accept.
        what: String,
        /// Code of its answer: 400 and above for now, 500 and above for ever.
        code: u16,
        /// Code and text of its answer.
        text: String,
    },
    /// The connection broke before the mail was handed over. Nothing was sent.
    #[error("the connection to the mail server broke: {detail}")]
    Broken {
        /// What happened.
        detail: String,
    },
    /// The mail was handed over, and no answer came: it may have been sent.
    #[error("the mail server did not say whether it took the mail: {detail}")]
    Unknown {
        /// What happened.
        detail: String,
    },
}

/// Takes letters to mail servers that users name.
pub trait Post: Send + Sync {
    /// Hands in one letter; returns what the server said when it took
    /// responsibility for it.
    fn post(&self, server: MailServer, letter: Letter, timeout: Duration) -> BoxFuture<'_, Result<String, PostError>>;

    /// Connects, signs in, and sends nothing; returns what the server said.
    fn greet(&self, server: MailServer, timeout: Duration) -> BoxFuture<'_, Result<String, PostError>>;
}
