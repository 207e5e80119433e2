//! Mails as they go over the wire.

use expect_test::{Expect, expect};

use super::*;
use base::Timestamp;

const KEY: &str = "0123456789abcdef0123456789abcdef01234567";
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn mail() -> MailCall {
    MailCall { to: vec!["Ann <ann@x.example>".into()], subject: "Late".into(), ..MailCall::default() }
}

fn check(mail: &MailCall, expected: Expect) {
    let told = match compose(mail, "Orders <orders@y.example>", KEY, NOW) {
        Ok((letter, name)) => {
            assert_eq!(name, format!("{KEY}@{}", letter.from.rsplit_once('@').expect("an address").1));
            let text = String::from_utf8_lossy(&letter.message).replace('\r', "");
            format!("{} -> {}\n{text}", letter.from, letter.to.join(" "))
        }
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&told);
}

#[test]
fn a_plain_text_has_its_own_name_and_nobody_is_named_who_shall_not_be() {
    check(
        &MailCall {
            text: Some("Order 17 is late.".into()),
            cc: vec!["b@x.example, Café <c@x.example>".into()],
            bcc: vec!["boss@x.example".into()],
            reply_to: Some("team@y.example".into()),
            in_reply_to: Some("1@z.example".into()),
            references: vec!["<0@z.example>".into(), "1@z.example".into()],
            priority: Priority::High,
            headers: vec![("X-Case".into(), "17".into())],
            ..mail()
        },
        expect![[r"
            orders@y.example -> ann@x.example b@x.example c@x.example boss@x.example
            Date: Thu, 01 Jan 2026 00:00:00 +0000
            Message-ID: <0123456789abcdef0123456789abcdef01234567@y.example>
            From: Orders <orders@y.example>
            Subject: Late
            MIME-Version: 1.0
            To: Ann <ann@x.example>
            Cc: b@x.example, =?utf-8?b?Q2Fmw6k=?= <c@x.example>
            Reply-To: team@y.example
            In-Reply-To: <1@z.example>
            References: <0@z.example> <1@z.example>
            X-Priority: 1
            Importance: high
            X-Case: 17
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 7bit

            Order 17 is late."]],
    );
}

#[test]
fn html_has_its_text_and_its_pictures_beside_it() {
    let file = |name: &str, cid: Option<&str>| Attachment {
        file_name: name.into(),
        data: "a,b\n1,2\n".into(),
        cid: cid.map(str::to_owned),
    };
    check(
        &MailCall {
            html: Some("<p>Late <img src=\"cid:logo\"></p>".into()),
            text: Some("Late".into()),
            attachments: vec![file("logo.png", Some("logo")), file("Zeilen – März.csv", None)],
            ..mail()
        },
        expect![[r#"
            orders@y.example -> ann@x.example
            Date: Thu, 01 Jan 2026 00:00:00 +0000
            Message-ID: <0123456789abcdef0123456789abcdef01234567@y.example>
            From: Orders <orders@y.example>
            Subject: Late
            MIME-Version: 1.0
            To: Ann <ann@x.example>
            Content-Type: multipart/mixed;
             boundary="mixed-0123456789abcdef0123456789abcdef01234567"

            --mixed-0123456789abcdef0123456789abcdef01234567
            Content-Type: multipart/alternative;
             boundary="alternative-0123456789abcdef0123456789abcdef01234567"

            --alternative-0123456789abcdef0123456789abcdef01234567
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 7bit

            Late
            --alternative-0123456789abcdef0123456789abcdef01234567
            Content-Type: multipart/related;
             boundary="related-0123456789abcdef0123456789abcdef01234567"

            --related-0123456789abcdef0123456789abcdef01234567
            Content-Type: text/html; charset=utf-8
            Content-Transfer-Encoding: 7bit

            <p>Late <img src="cid:logo"></p>
            --related-0123456789abcdef0123456789abcdef01234567
            Content-ID: <logo>
            Content-Disposition: inline; filename="logo.png"
            Content-Type: image/png
            Content-Transfer-Encoding: 7bit

            a,b
            1,2

            --related-0123456789abcdef0123456789abcdef01234567--
            --alternative-0123456789abcdef0123456789abcdef01234567--
            --mixed-0123456789abcdef0123456789abcdef01234567
            Content-Disposition: attachment;
             filename*0*=utf-8''Zeilen%20%E2%80%93%20M%C3%A4rz.csv
            Content-Type: text/csv; charset=utf-8
            Content-Transfer-Encoding: 7bit

            a,b
            1,2

            --mixed-0123456789abcdef0123456789abcdef01234567--
        "#]],
    );
}

#[test]
fn a_line_break_does_not_get_into_a_header() {
    let text = || Some("hi".to_owned());
    for (wrong, expected) in [
        (MailCall { subject: "Late\r\nBcc: all@x.example".into(), text: text(), ..mail() }, "subject"),
        (MailCall { to: vec!["a@x.example\nBcc: all@x.example".into()], text: text(), ..mail() }, "to"),
        (MailCall { from: Some("a@x.example\r\nX: y".into()), text: text(), ..mail() }, "from"),
        (MailCall { headers: vec![("X-A".into(), "1\r\nBcc: b@x.example".into())], ..mail() }, "headers.X-A"),
        (MailCall { references: vec!["<a@b>\r\nX: y".into()], ..mail() }, "references"),
        (
            MailCall {
                attachments: vec![Attachment { file_name: "a\nb".into(), data: "x".into(), cid: None }],
                ..mail()
            },
            "attachments.fileName",
        ),
    ] {
        let error = compose(&wrong, "a@b.example", KEY, NOW).err().expect("it is refused").message;
        assert_eq!(error, format!("{expected}: a line break, or another control character, cannot stand in a header"));
    }
    for name in ["Bcc", "content-type", "a b", "X:Y", "X\r\nBcc"] {
        let wrong = MailCall { headers: vec![(name.into(), "1".into())], ..mail() };
        assert!(compose(&wrong, "a@b.example", KEY, NOW).is_err(), "{name}");
    }
}

#[test]
fn what_is_no_address_is_refused() {
    check(
        &MailCall { to: vec!["nobody".into()], ..mail() },
        expect![[r#"BundleValidationError: to: "nobody" is not a mail address"#]],
    );
    check(
        &MailCall { to: Vec::new(), ..mail() },
        expect![[r#"BundleValidationError: missing value of required parameter "to""#]],
    );
    let big = Attachment { file_name: "a.bin".into(), data: vec![0; (25 << 20) + 1].into(), cid: None };
    check(
        &MailCall { attachments: vec![big], ..mail() },
        expect!["MaxFileSizeExceededError: the attachments have 26214401 bytes, and at most 26214400 are sent"],
    );
}
