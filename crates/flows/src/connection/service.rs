//! Connections to services that are more than an address: mail servers and
//! Slack.

use base::Secret;
use base::mail::{MailLogin, MailSecurity, MailServer};
use lettre::message::Mailbox;
use serde_json::{Value as Json, json};

use super::origin_of;

/// Where Slack is.
pub(crate) const SLACK: &str = "https://slack.com/api";

/// A mail server, and who we are to it.
#[derive(Clone)]
pub struct Smtp {
    /// Its name.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// How the way there is protected.
    pub security: MailSecurity,
    /// Name and password, where it wants them.
    pub login: Option<(String, Secret)>,
    /// Who sends, where a mail does not say: `Name <name@example.org>`.
    pub from: String,
}

impl Smtp {
    /// Returns the usual port for a way of protection.
    pub fn usual_port(security: MailSecurity) -> u16 {
        match security {
            MailSecurity::Implicit => 465,
            MailSecurity::StartTls => 587,
            MailSecurity::None => 25,
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | ':' | '_');
        if self.host.is_empty() || !self.host.chars().all(is_plain) {
            return Err(format!("\"{}\" is not the name of a host", self.host));
        }
        if self.from.parse::<Mailbox>().is_err() {
            return Err(format!("\"{}\" is not a mail address such as Orders <orders@example.org>", self.from));
        }
        let is_here = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        match &self.login {
            Some((user, password)) if user.is_empty() || password.expose().is_empty() => {
                Err("a login needs both \"user\" and \"password\"".into())
            }
            Some(_) if self.security == MailSecurity::None && !is_here => {
                Err("a password is never sent without TLS: set \"tls\" to \"starttls\" or \"implicit\"".into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn sealable(&self) -> Json {
        let (user, password) = self.login.as_ref().map(|(user, password)| (user, password.expose())).unzip();
        json!({"host": self.host, "port": self.port, "tls": word(self.security), "user": user, "password": password,
               "from": self.from})
    }

    pub(super) fn opened(json: &Json) -> Option<Self> {
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        Some(Smtp {
            host: text("host")?,
            port: u16::try_from(json["port"].as_u64()?).ok()?,
            security: security_named(json["tls"].as_str()?)?,
            login: text("user").zip(text("password").map(Secret::new)),
            from: text("from")?,
        })
    }

    pub(crate) fn server(&self) -> MailServer {
        let login = self.login.as_ref();
        MailServer {
            host: self.host.clone(),
            port: self.port,
            security: self.security,
            login: login.map(|(user, password)| MailLogin { user: user.clone(), password: password.clone() }),
        }
    }
}

fn word(security: MailSecurity) -> &'static str {
    match security {
        MailSecurity::None => "none",
        MailSecurity::StartTls => "starttls",
        MailSecurity::Implicit => "implicit",
    }
}

/// Finds a way of protection by the word for it: `none`, `starttls` or
/// `implicit`.
pub fn security_named(word: &str) -> Option<MailSecurity> {
    match word {
        "none" => Some(MailSecurity::None),
        "starttls" => Some(MailSecurity::StartTls),
        "implicit" => Some(MailSecurity::Implicit),
        _ => None,
    }
}

/// A Slack app.
#[derive(Clone)]
pub enum Slack {
    /// It calls methods with the token of its bot.
    Bot {
        /// Begins with `xoxb-`.
        token: Secret,
        /// Where the methods are, if not at Slack: another server that
        /// understands the same calls.
        base: Option<String>,
    },
    /// It only puts messages into one channel.
    Webhook {
        /// The whole address, which is the secret.
        url: Secret,
    },
}

impl Slack {
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Slack::Bot { base: Some(base), .. } if origin_of(base).is_none() => {
                Err(format!("\"{base}\" is not an address such as {SLACK}"))
            }
            Slack::Webhook { url } if !is_web(url.expose()) => {
                // The address is the secret, so it is not told.
                Err("its \"url\" is not an address such as https://hooks.slack.com/services/…".into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn sealable(&self) -> Json {
        match self {
            Slack::Bot { token, base } => json!({"token": token.expose(), "base": base}),
            Slack::Webhook { url } => json!({"url": url.expose()}),
        }
    }

    pub(super) fn opened(json: &Json) -> Option<Self> {
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        match text("url") {
            Some(url) => Some(Slack::Webhook { url: Secret::new(url) }),
            None => Some(Slack::Bot { token: Secret::new(text("token")?), base: text("base") }),
        }
    }

    /// Returns the only place where the secret may go.
    pub(super) fn origin(&self) -> &str {
        match self {
            Slack::Bot { base, .. } => base.as_deref().unwrap_or(SLACK),
            Slack::Webhook { url } => url.expose(),
        }
    }

    pub(super) fn moved(&self, rest: &str) -> Option<String> {
        match self {
            Slack::Bot { base, .. } => base.as_ref().map(|base| format!("{}{rest}", base.trim_end_matches('/'))),
            Slack::Webhook { url } => Some(url.expose().to_owned()),
        }
    }
}

fn is_web(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
