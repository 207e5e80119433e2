//! Mails as data: what a provider's pipe brings to a hook, read.

use base::Timestamp;
use bytes::Bytes;
use mail_parser::{Addr, Address, Message, MessageParser, MimeHeaders, PartType};

use crate::value::{Collection, Value};

/// Reads a mail as it was sent, with its headers; nothing if it is none. The
/// bundle has `subject`, `text`, `html`, `date`, `from`, `sender`, `to`, `cc`,
/// `headers` and `attachments`.
pub fn read_mail(mail: &[u8]) -> Option<Value> {
    let message = MessageParser::default().parse(mail)?;
    if message.headers().is_empty() {
        return None;
    }
    let text = |text: Option<std::borrow::Cow<'_, str>>| text.map_or(Value::Absent, Value::text);
    // What was not sent as HTML is not made into it.
    let has_html = message.html_bodies().any(mail_parser::MessagePart::is_text_html);
    let one = |address: Option<&Address<'_>>| address.and_then(Address::first).map_or(Value::Absent, person);
    let all = |address: Option<&Address<'_>>| {
        Value::array(address.map(|address| address.iter().map(person).collect()).unwrap_or_default())
    };
    let date = message.date().and_then(|date| date.to_timestamp().checked_mul(1_000_000));
    let sender = one(message.sender());
    let from = one(message.from());
    Some(Value::collection([
        ("subject", Value::text(message.subject().unwrap_or_default())),
        ("text", text(message.body_text(0))),
        ("html", if has_html { text(message.body_html(0)) } else { Value::Absent }),
        ("date", date.map_or(Value::Absent, |micros| Value::Date(Timestamp::from_micros(micros)))),
        ("from", from.clone()),
        ("sender", if sender == Value::Absent { from } else { sender }),
        ("to", all(message.to())),
        ("cc", all(message.cc())),
        ("messageId", message.message_id().map_or(Value::Absent, Value::text)),
        ("headers", headers(&message)),
        ("attachments", attachments(&message)),
    ]))
}

fn person(address: &Addr<'_>) -> Value {
    let text = |text: Option<&str>| text.map_or(Value::Absent, Value::text);
    Value::collection([("address", text(address.address())), ("name", text(address.name()))])
}

/// Headers by their names in small letters; one that comes several times is a
/// list.
fn headers(message: &Message<'_>) -> Value {
    let mut headers = Collection::new();
    for (name, value) in message.headers_raw() {
        // A long one goes on in the next lines.
        let value = Value::text(value.split_whitespace().collect::<Vec<_>>().join(" "));
        let name = name.to_ascii_lowercase();
        let value = match headers.get(&name) {
            None => value,
            Some(Value::Array(values)) => Value::array(values.iter().cloned().chain([value]).collect()),
            Some(first) => Value::array(vec![first.clone(), value]),
        };
        headers.insert(name, value);
    }
    Value::Collection(headers.into())
}

fn attachments(message: &Message<'_>) -> Value {
    let attachment = |(place, part): (usize, &mail_parser::MessagePart<'_>)| {
        let kind = part.content_type().map(|kind| match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()),
            None => kind.ctype().to_owned(),
        });
        let is_mail = matches!(part.body, PartType::Message(_));
        let named = part.attachment_name().map(str::to_owned);
        let named = named.unwrap_or_else(|| format!("attachment-{}{}", place + 1, if is_mail { ".eml" } else { "" }));
        let data = match &part.body {
            PartType::Message(inner) => Bytes::copy_from_slice(inner.raw_message()),
            _ => Bytes::copy_from_slice(part.contents()),
        };
        Value::collection([
            ("fileName", Value::text(named)),
            ("contentType", kind.map_or(Value::Absent, Value::text)),
            ("contentId", part.content_id().map_or(Value::Absent, Value::text)),
            ("fileSize", Value::Int(data.len() as i64)),
            ("data", Value::Buffer(data)),
        ])
    };
    Value::array(message.attachments().enumerate().map(attachment).collect())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const MAIL: &str = "Received: by a\r\nReceived: by\r\n b\r\nFrom: \"Ann =?UTF-8?Q?M=C3=BCller?=\" <ann@x.example>\r\n\
        To: b@y.example, Team: Cid <c@y.example>;\r\nCc: d@y.example\r\nSubject: =?UTF-8?B?TGllZmVydW5nIPCfmpo=?=\r\n\
        Date: Sun, 1 Mar 2026 10:00:00 +0100\r\nMessage-ID: <1@x.example>\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
        --a\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nsp=E4t\r\n\
        --a\r\nContent-Type: text/html\r\n\r\n<p>late</p>\r\n--a--\r\n\
        --m\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=\"o.csv\"\r\n\
        Content-Transfer-Encoding: base64\r\n\r\naWQKNDcxMQo=\r\n--m--\r\n";

    #[test]
    fn a_mail_has_its_parts() {
        let mail = read_mail(MAIL.as_bytes()).expect("a mail");
        expect![[r#"
            {
              "subject": "Lieferung 🚚",
              "text": "spät",
              "html": "<p>late</p>",
              "date": "2026-03-01T09:00:00.000Z",
              "from": {
                "address": "ann@x.example",
                "name": "Ann Müller"
              },
              "sender": {
                "address": "ann@x.example",
                "name": "Ann Müller"
              },
              "to": [
                {
                  "address": "b@y.example"
                },
                {
                  "address": "c@y.example",
                  "name": "Cid"
                }
              ],
              "cc": [
                {
                  "address": "d@y.example"
                }
              ],
              "messageId": "1@x.example",
              "headers": {
                "received": [
                  "by a",
                  "by b"
                ],
                "from": "\"Ann =?UTF-8?Q?M=C3=BCller?=\" <ann@x.example>",
                "to": "b@y.example, Team: Cid <c@y.example>;",
                "cc": "d@y.example",
                "subject": "=?UTF-8?B?TGllZmVydW5nIPCfmpo=?=",
                "date": "Sun, 1 Mar 2026 10:00:00 +0100",
                "message-id": "<1@x.example>",
                "mime-version": "1.0",
                "content-type": "multipart/mixed; boundary=m"
              },
              "attachments": [
                {
                  "fileName": "o.csv",
                  "contentType": "text/csv",
                  "fileSize": 8,
                  "data": "id\n4711\n"
                }
              ]
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&mail.to_json()).expect("JSON"));
        assert_eq!(mail.field("date"), Value::Date(Timestamp::from_micros(1_772_355_600_000_000)));
        assert!(
            matches!(mail.field("attachments"), Value::Array(each) if matches!(each[0].field("data"), Value::Buffer(_)))
        );
    }

    #[test]
    fn a_plain_mail_has_no_html() {
        let mail = read_mail(b"Subject: x\n\n<b>\n").expect("a mail");
        expect![[r#"{"subject":"x","text":"<b>\n","to":[],"cc":[],"headers":{"subject":"x"},"attachments":[]}"#]]
            .assert_eq(&mail.to_json().to_string());
        assert_eq!(read_mail(b""), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_or_not(lines in "(From: |Content-Type: multipart/mixed; boundary=a|--a|[a-z:;=<@\"? ]|\r\n){0,30}") {
            let _ = read_mail(lines.as_bytes());
        }
    }
}
