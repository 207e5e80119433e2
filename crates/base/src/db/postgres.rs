//! PostgreSQL under the waist.

use super::writer::Threads;
use super::{Error, Migration, Options};

pub(super) fn open(
    _url: &str,
    _schema: &str,
    _migrations: &[&[Migration]],
    _options: Options,
) -> Result<Threads, Error> {
    Err(Error::Unavailable { detail: "PostgreSQL is not wired yet".into() })
}
