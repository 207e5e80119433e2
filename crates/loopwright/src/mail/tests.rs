use events::SubscriptionId;
use expect_test::expect;

use super::*;

/// Keeps mails, and fails where it is told to.
#[derive(Default)]
struct Postbox {
    sent: Mutex<Vec<Mail>>,
    /// Whose mails fail, and whether trying again may help.
    failing: Mutex<Option<(String, bool)>>,
}

impl Mailer for Postbox {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        Box::pin(async move {
            if let Some((_, transient)) = self.failing.lock().clone().filter(|(whose, _)| mail.to.contains(whose)) {
                return Err(MailError { subject: mail.subject, detail: "no".into(), transient });
            }
            self.sent.lock().push(mail);
            Ok(())
        })
    }
}

fn notice(id: u64, kind: NoticeKind, name: &str, text: &str) -> Notice {
    let subscription: SubscriptionId = "01970000-0000-7000-8000-000000000001".parse().expect("an id");
    Notice {
        id,
        kind,
        subscription: Some(subscription),
        name: name.into(),
        owner: None,
        at: "2026-02-03T09:15:00.250Z".parse().expect("a time"),
        text: text.into(),
    }
}

fn notifier(postbox: &Arc<Postbox>) -> MailNotifier {
    let to = vec!["ann@example.org".to_owned(), "bob@example.org".to_owned()];
    MailNotifier::new(postbox.clone(), to, "https://loop.example.org".into())
}

#[tokio::test]
async fn a_batch_is_one_mail_for_each_recipient() {
    let postbox = Arc::new(Postbox::default());
    let batch = vec![
        notice(1, NoticeKind::Created, "orders", "The subscription \"orders\" was created."),
        notice(2, NoticeKind::Failed, "orders", "The subscription \"orders\" has failed: 500."),
        notice(3, NoticeKind::Failed, "bills", "The subscription \"bills\" has failed: 500."),
    ];
    notifier(&postbox).notify(batch).await.expect("both are taken");
    let sent = postbox.sent.lock();
    let to: Vec<&str> = sent.iter().flat_map(|mail| mail.to.iter().map(String::as_str)).collect();
    assert_eq!(to, ["ann@example.org", "bob@example.org"]);
    assert_eq!(sent[0].subject, "Loopwright: has failed (2), was created");
    expect![[r#"
        2026-02-03 09:15:00 UTC  The subscription "orders" was created.

        2026-02-03 09:15:00 UTC  The subscription "orders" has failed: 500.
          loopwright deliveries --subscription 01970000-0000-7000-8000-000000000001

        2026-02-03 09:15:00 UTC  The subscription "bills" has failed: 500.
          loopwright deliveries --subscription 01970000-0000-7000-8000-000000000001

        -- 
        Sent by Loopwright at https://loop.example.org to the administrators named in its setting mail_to.
    "#]]
    .assert_eq(&sent[0].text);
}

#[tokio::test]
async fn whoever_has_a_mail_does_not_get_it_again() {
    let postbox = Arc::new(Postbox::default());
    let notifier = notifier(&postbox);
    let batch = vec![notice(1, NoticeKind::Failed, "orders", "It has failed.")];
    *postbox.failing.lock() = Some(("ann@example.org".into(), true));
    let failed = notifier.notify(batch.clone()).await.expect_err("one is not reached");
    assert!(failed.transient, "{failed}");
    *postbox.failing.lock() = None;
    notifier.notify(batch).await.expect("now both have it");
    let sent = postbox.sent.lock();
    let to: Vec<&str> = sent.iter().flat_map(|mail| mail.to.iter().map(String::as_str)).collect();
    assert_eq!(to, ["bob@example.org", "ann@example.org"]);
    assert_eq!(sent[0].subject, "Loopwright: \"orders\" has failed");
}

#[tokio::test]
async fn an_address_that_is_refused_for_good_is_told_as_such() {
    let postbox = Arc::new(Postbox::default());
    *postbox.failing.lock() = Some(("ann@example.org".into(), false));
    let batch = vec![notice(1, NoticeKind::Suspended, "a\r\nBcc: x", "It was suspended.")];
    let failed = notifier(&postbox).notify(batch).await.expect_err("one is not reached");
    assert!(!failed.transient, "{failed}");
    let sent = postbox.sent.lock();
    assert_eq!(sent.len(), 1, "the other one has it");
    assert_eq!(sent[0].subject, "Loopwright: \"a Bcc: x\" was suspended");
}

#[test]
fn an_address_that_cannot_be_used_is_named_without_its_password() {
    for server in ["mail.example.org", "http://user:hush@mail.example.org", "smtp://", "smtp://user:hush@h:99999"] {
        let error = SmtpMailer::new(&Secret::new(server), "a@example.org", &[]).err().expect("a refusal");
        let text = format!("{error:#}");
        assert_eq!(text, "the setting \"mail_server\" is not an address such as smtp://user:password@host:587");
    }
    let error = SmtpMailer::new(&Secret::new("smtp://mail.example.org"), "nobody", &[]).err().expect("a refusal");
    assert!(format!("{error:#}").starts_with("the setting \"mail_from\": \"nobody\" is not a mail address"));
}
