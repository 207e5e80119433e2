//! Notices by mail, for whoever is not looking at the log.
//!
//! Every notice goes into the log. Where a mail server is configured, each
//! batch also becomes one mail per recipient, so that a bad hour with a
//! thousand failures is a few mails and not a thousand. The access crate knows
//! no addresses, so notices of all owners go to the administrators.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base::mail::{Mail, MailError, Mailer};
use base::{BoxFuture, Secret};
use events::{LogNotifier, Notice, NoticeKind, Notifier, NotifyFailed};
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;

use crate::config::Config;
use crate::tls;

/// A mail server has this time for each of its answers.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Makes the notifier that the configuration asks for.
pub(crate) fn notifier(config: &Config, url: String) -> Result<Arc<dyn Notifier>> {
    let Some(server) = &config.mail_server else { return Ok(Arc::new(LogNotifier)) };
    if config.mail_to.is_empty() {
        bail!("the setting \"mail_to\" names nobody; give an address, or leave \"mail_server\" empty");
    }
    let authorities =
        config.ca_file.as_deref().map(tls::certificates).transpose().context("the setting \"ca_file\"")?;
    let mailer = SmtpMailer::new(server, &config.mail_from, &authorities.unwrap_or_default())?;
    for address in &config.mail_to {
        mailbox(address).with_context(|| format!("the setting \"mail_to\": \"{address}\" is not a mail address"))?;
    }
    Ok(Arc::new(MailNotifier::new(Arc::new(mailer), config.mail_to.clone(), url)))
}

/// Sends through one mail server.
pub(crate) struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// Makes a mailer of `smtp://user:password@host:587` or `smtps://…`.
    ///
    /// With `smtp` the connection turns to TLS as soon as the server offers it;
    /// where there is a password it must.
    /// `authorities` may vouch for the server besides the well-known ones.
    pub(crate) fn new(server: &Secret, from: &str, authorities: &[CertificateDer<'static>]) -> Result<Self> {
        // The address holds the password, so it is not part of any error.
        const WRONG: &str = "the setting \"mail_server\" is not an address such as smtp://user:password@host:587";
        let mut url = url::Url::parse(server.expose()).ok().context(WRONG)?;
        let host = url.host_str().filter(|host| !host.is_empty()).context(WRONG)?.to_owned();
        // The library's own word for TLS knows no authorities besides the
        // well-known ones, so the address is read without it.
        url.set_query(None);
        let mut parameters = TlsParameters::builder(host);
        for authority in authorities {
            let authority = Certificate::from_der(authority.to_vec()).context("the setting \"ca_file\"")?;
            parameters = parameters.add_root_certificate(authority);
        }
        let parameters = parameters.build().context("TLS cannot be prepared for the mail server")?;
        let (port, tls) = match url.scheme() {
            "smtps" => (SUBMISSIONS_PORT, Tls::Wrapper(parameters)),
            "smtp" if url.password().is_some() => (SUBMISSION_PORT, Tls::Required(parameters)),
            "smtp" => (SMTP_PORT, Tls::Opportunistic(parameters)),
            _ => bail!(WRONG),
        };
        let port = url.port().unwrap_or(port);
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str()).ok().context(WRONG)?;
        let builder = builder.port(port).tls(tls);
        let from = mailbox(from)
            .with_context(|| format!("the setting \"mail_from\": \"{from}\" is not a mail address such as a@b.org"))?;
        Ok(SmtpMailer { transport: builder.timeout(Some(TIMEOUT)).build(), from })
    }

    fn message(&self, mail: &Mail) -> Result<Message, lettre::error::Error> {
        let name = crate::demo::random_text().map_err(|error| std::io::Error::other(error.to_string()))?;
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(&mail.subject)
            .message_id(Some(format!("<{name}@{}>", self.from.email.domain())))
            .header(MIME_VERSION_1_0);
        for address in &mail.to {
            let to = mailbox(address).map_err(|_| lettre::error::Error::MissingTo)?;
            builder = builder.to(to);
        }
        // Nobody's holiday notice shall answer.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        builder = builder.raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
        match &mail.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(mail.text.clone(), html.clone())),
            None => builder.header(ContentType::TEXT_PLAIN).body(mail.text.clone()),
        }
    }
}

fn mailbox(address: &str) -> Result<Mailbox> {
    Ok(address.trim().parse()?)
}

impl Mailer for SmtpMailer {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        Box::pin(async move {
            let failed = |detail: String, transient| MailError { subject: mail.subject.clone(), detail, transient };
            let message = self.message(&mail).map_err(|error| failed(error.to_string(), false))?;
            match self.transport.send(message).await {
                Ok(_) => Ok(()),
                // What a server refuses for good it refuses tomorrow as well.
                Err(error) => Err(failed(base::error::chain(&error).to_string(), !error.is_permanent())),
            }
        })
    }
}

/// Takes notices to the log and to the administrators.
pub(crate) struct MailNotifier {
    mailer: Arc<dyn Mailer>,
    to: Vec<String>,
    /// Where the server stands, for whoever wants to look.
    url: String,
    /// What of a batch that was not sent to everybody is done already.
    done: Mutex<HashSet<(Option<String>, u64)>>,
}

impl MailNotifier {
    pub(crate) fn new(mailer: Arc<dyn Mailer>, to: Vec<String>, url: String) -> Self {
        MailNotifier { mailer, to, url, done: Mutex::default() }
    }

    /// Returns what a recipient has not had; nobody is the log.
    fn left_for(&self, recipient: Option<&str>, notices: &[Notice]) -> Vec<Notice> {
        let done = self.done.lock();
        let is_left = |notice: &&Notice| !done.contains(&(recipient.map(str::to_owned), notice.id));
        notices.iter().filter(is_left).cloned().collect()
    }

    fn note(&self, recipient: Option<&str>, notices: &[Notice]) {
        self.done.lock().extend(notices.iter().map(|notice| (recipient.map(str::to_owned), notice.id)));
    }
}

impl Notifier for MailNotifier {
    fn notify(&self, notices: Vec<Notice>) -> BoxFuture<'_, Result<(), NotifyFailed>> {
        Box::pin(async move {
            let fresh = self.left_for(None, &notices);
            LogNotifier.notify(fresh.clone()).await?;
            self.note(None, &fresh);
            let mut failures: Vec<MailError> = Vec::new();
            for recipient in &self.to {
                let left = self.left_for(Some(recipient), &notices);
                if left.is_empty() {
                    continue;
                }
                let mail = Mail {
                    to: vec![recipient.clone()],
                    subject: subject_of(&left),
                    text: text_of(&left, &self.url),
                    html: None,
                };
                match self.mailer.send(mail).await {
                    Ok(()) => self.note(Some(recipient), &left),
                    Err(failure) => failures.push(failure),
                }
            }
            // One who can be reached later is reason enough to come again.
            let worst = failures.iter().find(|failure| failure.transient).or_else(|| failures.first());
            if let Some(worst) = worst {
                return Err(NotifyFailed { transient: worst.transient, detail: worst.to_string() });
            }
            self.done.lock().clear();
            Ok(())
        })
    }
}

/// Says in one line what a batch is about: the worst first.
fn subject_of(notices: &[Notice]) -> String {
    if let [notice] = notices {
        return match notice.name.as_str() {
            "" => format!("Loopwright: {}", words(notice.kind)),
            name => format!("Loopwright: \"{}\" {}", one_line(name), words(notice.kind)),
        };
    }
    let mut counts: BTreeMap<(usize, NoticeKind), usize> = BTreeMap::new();
    for notice in notices {
        *counts.entry((urgency(notice.kind), notice.kind)).or_default() += 1;
    }
    let part = |((_, kind), count): (&(usize, NoticeKind), &usize)| match count {
        1 => words(*kind).to_owned(),
        _ => format!("{} ({count})", words(*kind)),
    };
    let parts: Vec<String> = counts.iter().map(part).collect();
    format!("Loopwright: {}", parts.join(", "))
}

fn text_of(notices: &[Notice], url: &str) -> String {
    let mut text = String::new();
    for notice in notices {
        let time = notice.at.to_string();
        text.push_str(&format!("{} {} UTC  {}\n", &time[..10], &time[11..19], notice.text));
        let hint = match notice.subscription {
            Some(id) if urgency(notice.kind) == 0 => format!("  loopwright deliveries --subscription {id}\n"),
            _ => String::new(),
        };
        text.push_str(&hint);
        text.push('\n');
    }
    text.push_str("-- \n");
    text.push_str(&format!("Sent by Loopwright at {url} to the administrators named in its setting mail_to.\n"));
    text
}

/// What somebody must do something about comes first.
fn urgency(kind: NoticeKind) -> usize {
    match kind {
        NoticeKind::Suspended
        | NoticeKind::Rejected
        | NoticeKind::Alert
        | NoticeKind::Failed
        | NoticeKind::RetentionNear
        | NoticeKind::TooManySubscriptions
        | NoticeKind::TooManyEvents
        | NoticeKind::DataModelRefused
        | NoticeKind::FlowPaused
        | NoticeKind::FlowSwitchedOff
        | NoticeKind::ConnectionEnds => 0,
        NoticeKind::ActiveAgain | NoticeKind::DataModelBack => 1,
        NoticeKind::Created | NoticeKind::Deleted | NoticeKind::Paused | NoticeKind::Resumed => 2,
    }
}

fn words(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Created => "was created",
        NoticeKind::Deleted => "was deleted",
        NoticeKind::Failed => "has failed",
        NoticeKind::Alert => "is still failed",
        NoticeKind::Suspended => "was suspended",
        NoticeKind::Rejected => "was rejected",
        NoticeKind::Paused => "was paused",
        NoticeKind::Resumed => "was resumed",
        NoticeKind::ActiveAgain => "is active again",
        NoticeKind::RetentionNear => "has too many events waiting",
        NoticeKind::TooManySubscriptions => "too many subscriptions",
        NoticeKind::TooManyEvents => "too many events today",
        NoticeKind::DataModelRefused => "is not followed for now",
        NoticeKind::DataModelBack => "is followed again",
        NoticeKind::FlowPaused => "was paused: it feeds itself",
        NoticeKind::FlowSwitchedOff => "was switched off: its runs failed",
        NoticeKind::ConnectionEnds => "ends: it needs a new secret",
    }
}

/// A name is a person's own text and must not begin a header.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
