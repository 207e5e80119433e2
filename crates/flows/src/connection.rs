//! Connections: credentials that flows name and never contain.
//!
//! A connection's secret is sealed at rest and opened only while a request is
//! built. A connection may be bound to an *origin*, such as
//! `loopwright://workspace`; then its secret is sent nowhere else, whatever
//! address a mapping comes to.

use base::{Secret, Timestamp};
use serde::Serialize;

/// What a connection presents.
#[derive(Clone)]
pub enum Credentials {
    /// `Authorization: AppKey base64(id:secret)`; kind `app-key`. The secret
    /// is `id:secret`, or what already stands after `AppKey`.
    AppKey(Secret),
    /// `Authorization: Bearer …`; kinds `bearer` and `databricks-pat`.
    Bearer(Secret),
    /// `Authorization: Basic …`; kind `basic`.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A header of any name; kind `header`.
    Header {
        /// Its name.
        header: String,
        /// Its value.
        value: Secret,
    },
}

/// A connection to be put.
#[derive(Clone)]
pub struct ConnectionSpec {
    /// `app-key`, `bearer`, `databricks-pat`, `basic` or `header`; must fit
    /// the credentials.
    pub kind: String,
    /// What it presents.
    pub credentials: Credentials,
    /// Where the secret may go, such as `https://adb-1.azuredatabricks.net`;
    /// anywhere if nothing is given.
    pub origin: Option<String>,
    /// When it stops working. A `databricks-pat` must say.
    pub expires_at: Option<Timestamp>,
}

/// A connection without its secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionInfo {
    /// What flows call it.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Where the secret may go.
    pub origin: Option<String>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was last put.
    pub updated_at: Timestamp,
}
