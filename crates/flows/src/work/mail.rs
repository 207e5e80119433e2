//! Sending a mail.

use std::time::Duration;

use base::mail::PostError;

use super::perform::For;
use crate::flows::Flows;
use crate::modules::email::{MailCall, compose};
use crate::modules::http::class_of;
use crate::modules::{Class, ModuleError, Settled};
use crate::value::Value;

/// Time to hand in one mail.
const TIMEOUT: Duration = Duration::from_mins(2);

impl Flows {
    /// Sends a mail, with the connection that it names opened. The second part
    /// tells that trying again may help.
    pub(super) async fn mail(&self, mail: &MailCall, key: &str, whom: &For<'_>) -> (Settled, bool) {
        match self.post(mail, key, whom).await {
            Ok(bundle) => (Settled::new(Ok(vec![bundle])), false),
            Err(error) => {
                let may_help = error.class.may_pass();
                (Settled::new(Err(error)), may_help)
            }
        }
    }

    async fn post(&self, mail: &MailCall, key: &str, whom: &For<'_>) -> Result<Value, ModuleError> {
        let now = self.clock.now();
        let connection = self.unseal(&mail.connection, &whom.behind).await?;
        let smtp = connection.smtp(now)?;
        let (letter, name) = compose(mail, &smtp.from, key, now)?;
        let Some(post) = self.post.get() else {
            return Err(ModuleError::new(Class::InvalidConfigurationError, "this server cannot send mail"));
        };
        let recipients = letter.to.iter().map(Value::text).collect();
        let said = post.post(smtp.server(), letter, TIMEOUT).await.map_err(|error| failed(&error))?;
        Ok(Value::collection([
            ("messageId", Value::text(format!("<{name}>"))),
            ("recipients", Value::array(recipients)),
            ("response", Value::text(said)),
        ]))
    }
}

/// Says what went wrong, in the classes of the original.
pub(crate) fn failed(error: &PostError) -> ModuleError {
    let class = match error {
        PostError::Unreached(error) => class_of(error),
        PostError::Login { .. } => Class::InvalidAccessTokenError,
        PostError::Refused { code, text, .. } => match code {
            500.. => Class::DataError,
            _ if asks_for_patience(text) => Class::RateLimitError,
            _ => Class::ConnectionError,
        },
        PostError::Broken { .. } | PostError::Unknown { .. } => Class::ConnectionError,
    };
    ModuleError::new(class, error.to_string())
}

/// Tells whether a server has had too many mails from us: its enhanced code
/// (RFC 3463) is about policy, or its words are about how many.
fn asks_for_patience(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("4.7.") || ["rate", "too many", "throttl", "quota"].iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use base::http::HttpError;

    use super::*;

    #[test]
    fn what_a_mail_server_says_has_its_class() {
        let refused = |code, text: &str| PostError::Refused { what: "the mail".into(), code, text: text.into() };
        for (error, expected) in [
            (refused(550, "nobody"), Class::DataError),
            (refused(451, "try later"), Class::ConnectionError),
            (refused(450, "4.7.28 too much"), Class::RateLimitError),
            (refused(421, "Too many connections"), Class::RateLimitError),
            (PostError::Login { text: "no".into() }, Class::InvalidAccessTokenError),
            (PostError::Unknown { detail: "gone".into() }, Class::ConnectionError),
            (
                PostError::Unreached(HttpError::Forbidden { target: "h".into(), reason: "r".into() }),
                Class::RuntimeError,
            ),
            (PostError::Unreached(HttpError::Timeout { target: "h".into(), after_ms: 1 }), Class::ModuleTimeoutError),
        ] {
            assert_eq!(failed(&error).class, expected, "{error}");
        }
    }
}
