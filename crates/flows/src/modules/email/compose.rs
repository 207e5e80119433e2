//! From a planned mail to the text that goes over the wire (RFC 5322), by the
//! crate `lettre`. The same plan and key give the same text.

use std::time::{Duration, SystemTime};

use base::Timestamp;
use base::mail::Letter;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{
    Attachment as Attached, Body, Mailbox, Mailboxes, Message, MessageBuilder, MultiPart, SinglePart,
};

use super::{Attachment, MailCall, Priority};
use crate::modules::{Class, ModuleError};

/// Bytes of all files of one mail; few mail servers take more.
const FILES_BYTES_MAX: usize = 25 << 20;
/// Headers that the mail has by its fields. Written by hand they would stand
/// twice, or hide whom it goes to.
const OWN_HEADERS: [&str; 15] = [
    "from",
    "sender",
    "to",
    "cc",
    "bcc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "return-path",
    "received",
    "resent-bcc",
];

fn invalid(message: impl Into<String>) -> ModuleError {
    ModuleError::new(Class::BundleValidationError, message)
}

/// Composes a mail; returns it with its name, without brackets. `from` is who
/// sends where the mail does not say, `key` that of its operation.
pub(crate) fn compose(mail: &MailCall, from: &str, key: &str, now: Timestamp) -> Result<(Letter, String), ModuleError> {
    let from = mailbox("from", mail.from.as_deref().unwrap_or(from))?;
    let name = format!("{key}@{}", from.email.domain());
    let since_epoch = u64::try_from(now.as_millis()).unwrap_or_default();
    let mut builder = Message::builder()
        .date(SystemTime::UNIX_EPOCH + Duration::from_millis(since_epoch))
        .message_id(Some(format!("<{name}>")))
        .from(from.clone())
        .subject(one_line("subject", &mail.subject)?)
        .header(MIME_VERSION_1_0);
    if let Some(sender) = &mail.sender {
        builder = builder.sender(mailbox("sender", sender)?);
    }
    let mut everybody = Vec::new();
    for (field, texts) in [("to", &mail.to), ("cc", &mail.cc), ("bcc", &mail.bcc)] {
        for text in texts {
            let one_or_more: Mailboxes = one_line(field, text)?
                .parse()
                .map_err(|_| invalid(format!("{field}: \"{text}\" is not a mail address")))?;
            for mailbox in one_or_more {
                everybody.push(mailbox.email.clone());
                builder = match field {
                    "to" => builder.to(mailbox),
                    "cc" => builder.cc(mailbox),
                    // Whoever is not named does not stand in the mail.
                    _ => builder,
                };
            }
        }
    }
    if everybody.is_empty() {
        return Err(invalid("missing value of required parameter \"to\""));
    }
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(mailbox("replyTo", reply_to)?);
    }
    if let Some(answered) = &mail.in_reply_to {
        builder = builder.in_reply_to(message_id("inReplyTo", answered)?);
    }
    if !mail.references.is_empty() {
        let names = mail.references.iter().map(|name| message_id("references", name)).collect::<Result<Vec<_>, _>>()?;
        builder = builder.references(names.join(" "));
    }
    builder = with_priority(builder, mail.priority);
    for (name, value) in &mail.headers {
        builder = builder.raw_header(header(name, value)?);
    }
    let to = everybody.iter().map(ToString::to_string).collect();
    let letter_from = mail.sender.as_ref().map_or(Ok(from.clone()), |sender| mailbox("sender", sender))?.email;
    let envelope = Envelope::new(Some(letter_from.clone()), everybody).map_err(|error| invalid(error.to_string()))?;
    let message = body(builder.envelope(envelope), mail, key)?;
    Ok((Letter { from: letter_from.to_string(), to, message: message.formatted().into() }, name))
}

fn body(builder: MessageBuilder, mail: &MailCall, key: &str) -> Result<Message, ModuleError> {
    let size: usize = mail.attachments.iter().map(|file| file.data.len()).sum();
    if size > FILES_BYTES_MAX {
        let message = format!("the attachments have {size} bytes, and at most {FILES_BYTES_MAX} are sent");
        return Err(ModuleError::new(Class::MaxFileSizeExceededError, message));
    }
    let boundary = |kind: &str| format!("{kind}-{key}");
    let plain = |text: &str| SinglePart::plain(text.to_owned());
    let (shown, attached): (Vec<&Attachment>, Vec<&Attachment>) =
        mail.attachments.iter().partition(|file| file.cid.is_some() && mail.html.is_some());
    let built = match (&mail.html, &mail.text) {
        (None, text) if attached.is_empty() => {
            builder.header(ContentType::TEXT_PLAIN).body(text.clone().unwrap_or_default())
        }
        (Some(html), None) if shown.is_empty() && attached.is_empty() => {
            builder.header(ContentType::TEXT_HTML).body(html.clone())
        }
        (html, text) => {
            let mut mixed = MultiPart::mixed().boundary(boundary("mixed")).build();
            mixed = match html {
                None => mixed.singlepart(plain(text.as_deref().unwrap_or_default())),
                Some(html) => {
                    let mut related = MultiPart::related().boundary(boundary("related")).build();
                    related = related.singlepart(SinglePart::html(html.clone()));
                    for file in &shown {
                        related = related.singlepart(part(file)?);
                    }
                    match text {
                        None => mixed.multipart(related),
                        Some(text) => {
                            let both = MultiPart::alternative().boundary(boundary("alternative")).build();
                            mixed.multipart(both.singlepart(plain(text)).multipart(related))
                        }
                    }
                }
            };
            for file in &attached {
                mixed = mixed.singlepart(part(file)?);
            }
            builder.multipart(mixed)
        }
    };
    built.map_err(|error| invalid(format!("the mail cannot be composed: {error}")))
}

fn part(file: &Attachment) -> Result<SinglePart, ModuleError> {
    let name = one_line("attachments.fileName", &file.file_name)?;
    let content_type = ContentType::parse(mime_of(&name)).expect("the types of the table are types");
    let content = Body::new(file.data.to_vec());
    Ok(match &file.cid {
        Some(cid) => {
            let cid = one_line("attachments.cid", cid)?;
            let is_plain = |letter: char| letter.is_ascii_graphic() && !matches!(letter, '<' | '>');
            if cid.is_empty() || !cid.chars().all(is_plain) {
                return Err(invalid(format!("attachments.cid: \"{cid}\" has letters that it may not have")));
            }
            Attached::new_inline_with_name(cid, name).body(content, content_type)
        }
        None => Attached::new(name).body(content, content_type),
    })
}

fn with_priority(builder: MessageBuilder, priority: Priority) -> MessageBuilder {
    let (number, word) = match priority {
        Priority::High => ("1", "high"),
        Priority::Low => ("5", "low"),
        Priority::Normal => return builder,
    };
    let raw =
        |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
    builder.raw_header(raw("X-Priority", number)).raw_header(raw("Importance", word))
}

fn header(name: &str, value: &str) -> Result<HeaderValue, ModuleError> {
    let lower = name.trim().to_ascii_lowercase();
    if OWN_HEADERS.contains(&lower.as_str()) || lower.starts_with("content-") {
        return Err(invalid(format!("headers: \"{name}\" is set by the mail's own fields")));
    }
    let is_name = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    let bad = || invalid(format!("headers: \"{name}\" is not the name of a header"));
    if lower.is_empty() || !lower.bytes().all(is_name) {
        return Err(bad());
    }
    let header = HeaderName::new_from_ascii(name.trim().to_owned()).map_err(|_| bad())?;
    Ok(HeaderValue::new(header, one_line(&format!("headers.{name}"), value)?))
}

fn mailbox(field: &str, text: &str) -> Result<Mailbox, ModuleError> {
    let line = one_line(field, text)?;
    line.trim().parse().map_err(|_| invalid(format!("{field}: \"{text}\" is not a mail address")))
}

/// Puts the name of a mail in brackets, if it has none.
fn message_id(field: &str, text: &str) -> Result<String, ModuleError> {
    let line = one_line(field, text)?;
    let name = line.trim().trim_start_matches('<').trim_end_matches('>');
    if name.is_empty() || name.contains(['<', '>', ' ']) {
        return Err(invalid(format!("{field}: \"{text}\" is not the name of a mail")));
    }
    Ok(format!("<{name}>"))
}

/// Refuses a line break: behind it another header would begin.
fn one_line(field: &str, text: &str) -> Result<String, ModuleError> {
    if text.chars().any(|letter| letter.is_control() && letter != '\t') {
        return Err(invalid(format!("{field}: a line break, or another control character, cannot stand in a header")));
    }
    Ok(text.to_owned())
}

/// Returns the type of a file by the end of its name.
fn mime_of(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    match end.as_str() {
        "txt" | "log" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "html" | "htm" => "text/html; charset=utf-8",
        "json" => "application/json",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "webp" => "image/webp",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        _ => "application/octet-stream",
    }
}
