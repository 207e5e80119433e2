//! The verb that tries a connection.

use std::time::Duration;

use base::Actor;
use base::http::HttpError;
use base::mail::PostError;

use super::{Behind, Flows};
use crate::connection::Unsealed;
use crate::connection::trial::{Tested, Trial, judged};
use crate::databricks::act::{Ask, What};
use crate::error::Error;
use crate::modules::ModuleError;
use crate::work::databricks::{Caller, Heard};

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
                Trial::Workspace => self.try_workspace(actor, &unsealed).await,
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

    /// Asks a workspace who calls, and for its jobs.
    async fn try_workspace(&self, actor: &Actor, unsealed: &Unsealed) -> Tested {
        unsealed.forget_token();
        let caller = Caller { behind: Behind::Person(actor), run: None, operation: "test" };
        let workspace = unsealed.workspace().unwrap_or_default();
        let me = "/api/2.0/preview/scim/v2/Me";
        let called = format!("GET {}{me} and /api/2.2/jobs/list", base::http::shown(&workspace));
        let told = |ok: bool, status: Option<u16>, said: String, mend: Option<String>| Tested {
            ok,
            called: called.clone(),
            status,
            said,
            mend,
            took_ms: 0,
        };
        let failed = |heard: Heard| {
            let (error, status) = match heard {
                Heard::Refused { error, refusal } => (error, Some(refusal.status)),
                Heard::Later { error, status, .. } => (error, status),
                Heard::Unasked(error) => (error, None),
                Heard::Answer(_) => return told(true, None, String::new(), None),
            };
            // What to do stands behind the last colon.
            let (said, mend) = match error.message.rsplit_once(": ") {
                Some((said, mend)) => (said.to_owned(), Some(mend.to_owned())),
                None => (error.message.clone(), Some("put the connection again".to_owned())),
            };
            told(false, status, said, mend)
        };
        let ask = |path: &str| {
            let mut ask = Ask::get(What::Look, path.to_owned());
            ask.timeout = TIMEOUT;
            ask
        };
        let who = match self.ask_workspace(unsealed, &ask(me), None, &caller).await {
            Heard::Answer(response) => serde_json::from_slice::<serde_json::Value>(&response.body).ok(),
            heard => return failed(heard),
        };
        let Some(who) = who.filter(|who| who["userName"].is_string() || who["id"].is_string()) else {
            let said = format!("{workspace} answers, but not as a workspace does; it may be a page to sign in");
            let mend = "copy the address of the workspace from the browser into the connection";
            return told(false, Some(200), said, Some(mend.to_owned()));
        };
        let name =
            ["displayName", "userName", "id"].iter().find_map(|name| who[*name].as_str()).unwrap_or("?").to_owned();
        match self.ask_workspace(unsealed, &ask("/api/2.2/jobs/list?limit=1"), None, &caller).await {
            Heard::Answer(response) => {
                let jobs: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
                let sees = jobs["jobs"].as_array().is_some_and(|jobs| !jobs.is_empty());
                let mend =
                    (!sees).then(|| format!("no job is to be seen: give \"{name}\" CAN MANAGE RUN on those to be run"));
                told(true, Some(200), format!("it works: the workspace knows us as \"{name}\""), mend)
            }
            heard => failed(heard),
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
