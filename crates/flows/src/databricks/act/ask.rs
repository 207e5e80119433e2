//! Questions to a workspace, and what is waited for.

use std::time::Duration;

use base::Timestamp;
use base::http::Method;
use bytes::Bytes;
use serde_json::Value as Json;

use crate::databricks::problem::Subject;
use crate::databricks::{run, statement};

/// Something under way whose end is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) since: Timestamp,
    pub(crate) deadline: Option<Timestamp>,
}

/// What sort of thing is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Run,
    Statement,
}

impl Kind {
    /// Returns the word for it, as in the database.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Statement => "statement",
        }
    }

    /// Finds it by its word.
    pub(crate) fn named(word: &str) -> Option<Self> {
        [Kind::Run, Kind::Statement].into_iter().find(|kind| kind.word() == word)
    }

    /// Returns the question how it stands.
    pub(crate) fn look(self, id: &str) -> Ask {
        match self {
            Kind::Run => {
                let path = format!("/api/2.2/jobs/runs/get?run_id={id}&include_history=true");
                Ask::get(What::Look, path).about(of_run(id))
            }
            Kind::Statement => Ask::get(What::Look, format!("/api/2.0/sql/statements/{id}")).about(of_statement(id)),
        }
    }

    /// Tells whether an answer says that it is over.
    pub(crate) fn is_over(self, answer: &Json) -> bool {
        match self {
            Kind::Run => run::is_over(answer),
            Kind::Statement => statement::standing(answer) != statement::Standing::Open,
        }
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    pub(crate) what: What,
    pub(crate) method: Method,
    /// With its query; a whole address for what lies elsewhere.
    pub(crate) path: String,
    pub(crate) body: Bytes,
    /// The body is JSON.
    pub(crate) is_json: bool,
    /// It goes to where a link leads, without credentials.
    pub(crate) headers_elsewhere: Option<Vec<(String, String)>>,
    /// Asking again does no harm.
    pub(crate) is_safe: bool,
    pub(crate) subject: Option<Subject>,
    pub(crate) token: Option<String>,
    pub(crate) timeout: Duration,
}

/// Which question it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Start,
    Look,
    /// A further page of a run's tasks.
    Tasks,
    Output(i64),
    Cancel,
    Jobs,
    Answer,
    Chunk,
    Link,
    Put,
    Remove,
}

/// An answer with a status of success.
pub(crate) struct Answer<'a> {
    pub(crate) body: &'a [u8],
    /// The header that says which model has answered.
    pub(crate) model: Option<String>,
}

pub(super) fn of_run(id: impl std::fmt::Display) -> Subject {
    Subject { what: format!("run {id}"), right: "CAN VIEW", find: "look at the run's id; runs vanish after 60 days" }
}

pub(super) fn of_statement(id: &str) -> Subject {
    let find = "results of statements are kept for an hour";
    Subject { what: format!("statement {id}"), right: "CAN USE on the warehouse", find }
}

impl Ask {
    pub(crate) fn get(what: What, path: String) -> Self {
        Ask {
            what,
            method: Method::GET,
            path,
            body: Bytes::new(),
            is_json: false,
            headers_elsewhere: None,
            is_safe: true,
            subject: None,
            token: None,
            timeout: Duration::from_mins(1),
        }
    }

    pub(crate) fn post(what: What, path: &str, body: &Json) -> Self {
        let body = Bytes::from(body.to_string());
        Ask { method: Method::POST, body, is_json: true, ..Ask::get(what, path.to_owned()) }
    }

    pub(super) fn about(self, subject: Subject) -> Self {
        Ask { subject: Some(subject), ..self }
    }
}
