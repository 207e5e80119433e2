//! The verb that tries a connection.

use std::time::Duration;

use base::Actor;
use base::http::HttpError;
use base::mail::PostError;

use super::{Behind, Flows};
use crate::connection::Unsealed;
use crate::connection::trial::{Tested, Trial, judged};
use crate::error::Error;
use crate::modules::ModuleError;

/// Time for one trial.
const TIMEOUT: Duration = Duration::from_secs(20);

impl Flows {
    /// Tries a connection by a call that does no harm: at `url`, or at what is
    /// usual for its kind. Whatever comes of it is an answer.
    pub async fn test_connection(&self, actor: &Actor, name: &str, url: Option<&str>) -> Result<Tested, Error> {
        let info = self.connection(name).await?;
        let began = self.clock.now();
        let mut tested = match self.unseal(name, &Behind::Person(actor)).await {
            Ok(unsealed) => match unsealed.trial(&info, url) {
                Trial::Nothing => {
                    let detail =
                        "its kind does not say which address to try: give one, {\"url\": \"https://…\"}".into();
                    return Err(Error::BadConnection { name: name.to_owned(), detail });
                }
                Trial::Mail => self.try_mail(&unsealed).await,
                Trial::Http { request, called } => self.try_http(&unsealed, *request, called).await,
            },
            Err(error) => refused("nothing", &error),
        };
        if let (true, Some(warning)) = (tested.ok, info.warning) {
            tested.mend = Some(warning);
        }
        tested.took_ms = u64::try_from(self.clock.now().since(began).as_millis()).unwrap_or(u64::MAX);
        Ok(tested)
    }

    async fn try_http(&self, unsealed: &Unsealed, mut request: base::http::Request, called: String) -> Tested {
        request.timeout = TIMEOUT;
        request.response_bytes_max = 64 << 10;
        // A token that was fetched before says nothing about the secret of today.
        unsealed.forget_token();
        if let Err(error) = unsealed.apply(&mut request, &*self.http, self.clock.now()).await {
            return refused(&called, &error);
        }
        match self.http.send(request).await {
            Ok(answer) => {
                let status = answer.status.as_u16();
                let (ok, said, mend) = judged(unsealed, status, &answer.body);
                Tested { ok, called, status: Some(status), said, mend, took_ms: 0 }
            }
            Err(error) => {
                let said = if unsealed.hides_address() {
                    "the webhook cannot be reached".to_owned()
                } else {
                    error.to_string()
                };
                Tested { ok: false, called, status: None, said, mend: Some(mend(&error)), took_ms: 0 }
            }
        }
    }

    async fn try_mail(&self, unsealed: &Unsealed) -> Tested {
        let smtp = match unsealed.smtp(self.clock.now()) {
            Ok(smtp) => smtp,
            Err(error) => return refused("nothing", &error),
        };
        let called = format!("the mail server {}:{}, without sending a mail", smtp.host, smtp.port);
        let Some(post) = self.post.get() else {
            let said = "this server cannot send mail".to_owned();
            return Tested { ok: false, called, status: None, said, mend: None, took_ms: 0 };
        };
        match post.greet(smtp.server(), TIMEOUT).await {
            Ok(answer) => {
                let said = format!("it works: the server said {answer}");
                Tested { ok: true, called, status: None, said, mend: None, took_ms: 0 }
            }
            Err(error) => {
                let mend = match &error {
                    PostError::Unreached(error) => mend(error),
                    PostError::Login { .. } => "look at \"user\" and \"password\" of the connection".to_owned(),
                    _ => "look at \"host\", \"port\" and \"tls\" of the connection".to_owned(),
                };
                Tested { ok: false, called, status: None, said: error.to_string(), mend: Some(mend), took_ms: 0 }
            }
        }
    }
}

fn refused(called: &str, error: &ModuleError) -> Tested {
    let (said, called) = (error.message.clone(), called.to_owned());
    Tested { ok: false, called, status: None, said, mend: Some("put the connection again".into()), took_ms: 0 }
}

/// Says what to do when nobody answers.
fn mend(error: &HttpError) -> String {
    match error {
        HttpError::BadAddress { .. } => "give an address such as https://host/path",
        HttpError::Forbidden { .. } => "ask who runs this server to open that address",
        HttpError::UnknownHost { .. } => "look at the name of the host",
        HttpError::Tls { .. } => "look at the port, and at whether the certificate is one that is trusted (ca_file)",
        HttpError::Connect { .. } | HttpError::Timeout { .. } | HttpError::Broken { .. } => {
            "see whether the other side is up, and whether a firewall is between"
        }
    }
    .to_owned()
}
