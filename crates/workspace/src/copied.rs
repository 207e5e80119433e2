//! Which files `COPY INTO` has taken into which table, so that it takes each
//! one once.

use std::collections::HashSet;

use base::args;

use crate::data_error::DataError;
use crate::workspace::Workspace;

impl Workspace {
    /// Returns the paths among `files`, each with its stamp, that were not yet
    /// copied into a table.
    pub async fn not_copied(&self, target: &str, files: Vec<(String, String)>) -> Result<HashSet<String>, DataError> {
        let target = target.to_owned();
        self.db
            .read("workspace.not_copied", move |tx| {
                let mut fresh = HashSet::new();
                for (path, stamp) in files {
                    let known = tx.query_one(
                        "SELECT path FROM workspace_copied_files WHERE target = $1 AND path = $2 AND stamp = $3",
                        args![&target, &path, &stamp],
                    )?;
                    if known.is_none() {
                        fresh.insert(path);
                    }
                }
                Ok::<_, DataError>(fresh)
            })
            .await
    }

    /// Remembers that files were copied into a table.
    pub async fn note_copied(&self, target: &str, files: Vec<(String, String)>) -> Result<(), DataError> {
        let (target, now) = (target.to_owned(), self.clock.now());
        self.db
            .write("workspace.note_copied", move |tx| {
                for (path, stamp) in &files {
                    tx.execute(
                        "INSERT INTO workspace_copied_files (target, path, stamp, copied_at) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (target, path, stamp) DO NOTHING",
                        args![&target, path, stamp, now],
                    )?;
                }
                Ok::<_, DataError>(())
            })
            .await
    }
}
