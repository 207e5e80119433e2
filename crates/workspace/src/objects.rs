//! Objects of the workspace tree: files, notebooks, folders.
//!
//! A notebook is a file that says in its first line that it is one, as it does
//! when it is exported as source; so there is nothing besides the file that
//! could disagree with it. A notebook in the form of Jupyter is turned into
//! source when it comes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use base::{Actor, Timestamp};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::data_error::DataError;
use crate::storage::inside;
use crate::workspace::{Workspace, note};

/// The languages of notebooks: their word, the sign of a comment, and the
/// ending of a file.
pub(crate) const LANGUAGES: [(&str, &str, &str); 4] =
    [("PYTHON", "#", "py"), ("SQL", "--", "sql"), ("SCALA", "//", "scala"), ("R", "#", "r")];
/// What the first line of a notebook says behind the sign of a comment.
pub(crate) const NOTEBOOK: &str = "Databricks notebook source";
/// What stands between two cells.
pub(crate) const CELL: &str = "COMMAND ----------";

/// In which form something comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportFormat {
    /// What it is, its content and name say.
    Auto,
    /// A notebook as source.
    Source,
    /// A file, whatever it says.
    Raw,
    /// A notebook of Jupyter.
    Jupyter,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A file.
    File,
    /// A notebook, with the word for its language.
    Notebook(&'static str),
    /// A folder.
    Directory,
}

/// An object of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceObject {
    /// Where it is.
    pub path: String,
    /// What it is.
    pub kind: ObjectKind,
    /// A number that stays with the path.
    pub id: i64,
    /// Bytes.
    pub bytes: u64,
    /// When it was written last.
    pub modified_at: Timestamp,
}

impl Workspace {
    /// Stores what comes: a file, or a notebook.
    pub async fn import_object(
        &self,
        actor: &Actor,
        path: &str,
        content: Vec<u8>,
        format: ImportFormat,
        language: Option<&str>,
        overwrite: bool,
    ) -> Result<(), DataError> {
        let (path, content) = placed(path, content, format, language)?;
        let (above, place) = (path.rsplit_once('/').map_or("", |(above, _)| above), self.object_path(&path)?);
        if place.is_dir() {
            return Err(DataError::Invalid(format!("\"{path}\" is a folder")));
        }
        // `/Workspace/a` and `/a` are the same.
        if !above.is_empty() && self.object_path(above)?.is_file() {
            return Err(DataError::Invalid(format!("\"{above}\" is a file, not a folder")));
        }
        Ok(self.import_file(actor, &path, content, overwrite).await?)
    }

    /// Looks at what stands at a path.
    pub async fn object(&self, path: &str) -> Result<WorkspaceObject, DataError> {
        let (place, shown) = (self.object_path(path)?, shown(path));
        tokio::task::spawn_blocking(move || look(&place, shown))
            .await
            .unwrap_or_else(|error| Err(failed("read", path, std::io::Error::other(error))))
    }

    /// Lists a folder by name; a file lists itself.
    pub async fn list_objects(&self, path: &str) -> Result<Vec<WorkspaceObject>, DataError> {
        let first = self.object(path).await?;
        if first.kind != ObjectKind::Directory {
            return Ok(vec![first]);
        }
        let (place, above) = (self.object_path(path)?, first.path.trim_end_matches('/').to_owned());
        let failing = path.to_owned();
        let listed = tokio::task::spawn_blocking(move || {
            let mut found = Vec::new();
            let entries = std::fs::read_dir(&place).map_err(|source| failed("list", &failing, source))?;
            for entry in entries {
                let entry = entry.map_err(|source| failed("list", &failing, source))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                // Files that are just being written.
                if !name.starts_with(".new-") && name != "__pycache__" {
                    found.push(look(&entry.path(), format!("{above}/{name}"))?);
                }
            }
            found.sort_by(|one, other| one.path.cmp(&other.path));
            Ok(found)
        });
        listed.await.unwrap_or_else(|error| Err(failed("list", path, std::io::Error::other(error))))
    }

    /// Makes a folder, and those above it.
    pub async fn make_folder(&self, actor: &Actor, path: &str) -> Result<(), DataError> {
        let place = self.object_path(path)?;
        tokio::fs::create_dir_all(&place).await.map_err(|source| match source.kind() {
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                DataError::Exists(format!("\"{path}\" or a part of it is a file"))
            }
            _ => failed("make", path, source),
        })?;
        self.note_object(actor, "mkdirs", path).await
    }

    /// Removes a file or a folder; a folder with something in it only if
    /// `recursive`.
    pub async fn delete_object(&self, actor: &Actor, path: &str, recursive: bool) -> Result<(), DataError> {
        let object = self.object(path).await?;
        let place = self.object_path(path)?;
        if place == self.files_folder() {
            return Err(DataError::Invalid("the root of the workspace stays".into()));
        }
        let removed = match (object.kind, recursive) {
            (ObjectKind::Directory, true) => tokio::fs::remove_dir_all(&place).await,
            (ObjectKind::Directory, false) => tokio::fs::remove_dir(&place).await,
            _ => tokio::fs::remove_file(&place).await,
        };
        removed.map_err(|source| match source.kind() {
            ErrorKind::DirectoryNotEmpty => DataError::NotEmpty(format!(
                "the folder \"{path}\" is not empty: say \"recursive\" to remove all in it"
            )),
            _ => failed("delete", path, source),
        })?;
        self.note_object(actor, "delete", path).await
    }

    fn object_path(&self, path: &str) -> Result<PathBuf, DataError> {
        Ok(inside(&self.files_folder(), &shown(path))?)
    }

    async fn note_object(&self, actor: &Actor, verb: &'static str, path: &str) -> Result<(), DataError> {
        let (actor, path, now) = (actor.clone(), path.to_owned(), self.clock.now());
        self.db
            .write("workspace.note_object", move |tx| {
                Ok(note(tx, &actor, verb, "workspace-file", &path, (None, None), now)?)
            })
            .await
    }
}

/// Returns a path without `/Workspace` in front.
fn shown(path: &str) -> String {
    match path.strip_prefix("/Workspace") {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => path.to_owned(),
    }
}

fn look(place: &Path, path: String) -> Result<WorkspaceObject, DataError> {
    let missing = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => DataError::NotFound(format!("Path ({path}) doesn't exist.")),
        _ => failed("read", &path, source),
    };
    if path == "/" {
        // The root is there before anything is in it.
        std::fs::create_dir_all(place).map_err(missing)?;
    }
    let known = std::fs::metadata(place).map_err(missing)?;
    let kind = if known.is_dir() {
        ObjectKind::Directory
    } else {
        let mut begin = [0; 64];
        let read = std::fs::File::open(place).and_then(|mut file| std::io::Read::read(&mut file, &mut begin));
        let length = read.map_err(missing)?;
        notebook_language(&begin[..length], &path).map_or(ObjectKind::File, ObjectKind::Notebook)
    };
    let changed = known.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let digest = Sha256::digest(path.as_bytes());
    let mut number = [0; 8];
    number.copy_from_slice(&digest[..8]);
    Ok(WorkspaceObject {
        kind,
        // Positive, and within what a double says exactly is not asked for.
        id: (u64::from_be_bytes(number) >> 4) as i64,
        bytes: if known.is_dir() { 0 } else { known.len() },
        modified_at: Timestamp::from_millis(i64::try_from(changed.as_millis()).unwrap_or(i64::MAX)),
        path,
    })
}

/// Returns the language of what says that it is a notebook.
fn notebook_language(content: &[u8], path: &str) -> Option<&'static str> {
    let line = content.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim_start_matches('\u{feff}').trim_end();
    let (word, ..) = LANGUAGES.iter().find(|(_, sign, _)| line == format!("{sign} {NOTEBOOK}"))?;
    // Two languages have one sign.
    Some(if *word == "PYTHON" && path.to_ascii_lowercase().ends_with(".r") { "R" } else { word })
}

/// Decides where something goes and what is stored.
fn placed(
    path: &str,
    content: Vec<u8>,
    format: ImportFormat,
    language: Option<&str>,
) -> Result<(String, Vec<u8>), DataError> {
    let named = language.filter(|word| !word.is_empty()).map(|word| {
        let known = LANGUAGES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(word));
        known.ok_or_else(|| DataError::Invalid(format!("\"{word}\" is none of PYTHON, SQL, SCALA and R")))
    });
    let named = named.transpose()?;
    let ending = path.rsplit_once('/').and_then(|(_, name)| name.rsplit_once('.')).map(|(_, ending)| ending);
    let stem = |ending: &str| path.strip_suffix(&format!(".{ending}")).unwrap_or(path).to_owned();
    match (format, ending) {
        (ImportFormat::Jupyter, _) | (ImportFormat::Auto, Some("ipynb")) => {
            Ok((stem("ipynb"), source_of_jupyter(&content)?))
        }
        (ImportFormat::Auto, Some(ending)) if notebook_language(&content, path).is_some() => {
            Ok((stem(ending), content))
        }
        (ImportFormat::Raw | ImportFormat::Auto, _) => Ok((path.to_owned(), content)),
        (ImportFormat::Source, _) => match named {
            Some((_, sign, _)) if notebook_language(&content, path).is_none() => {
                let mut source = format!("{sign} {NOTEBOOK}\n").into_bytes();
                source.extend(content);
                Ok((path.to_owned(), source))
            }
            _ => Ok((path.to_owned(), content)),
        },
    }
}

/// Turns a notebook of Jupyter into source: its code cells, and its texts as
/// comments.
fn source_of_jupyter(content: &[u8]) -> Result<Vec<u8>, DataError> {
    let wrong = |what: String| DataError::Invalid(format!("this is no notebook of Jupyter: {what}"));
    let notebook: Json = serde_json::from_slice(content).map_err(|error| wrong(error.to_string()))?;
    let language = notebook["metadata"]["language_info"]["name"]
        .as_str()
        .or_else(|| notebook["metadata"]["kernelspec"]["language"].as_str())
        .unwrap_or("python")
        .to_ascii_uppercase();
    let sign = match language.as_str() {
        "PYTHON" | "IPYTHON" => "#",
        other => {
            return Err(DataError::Unsupported(format!(
                "a notebook of Jupyter in {other} is not taken here: notebooks in PYTHON are"
            )));
        }
    };
    let cells = notebook["cells"].as_array().ok_or_else(|| wrong("\"cells\" is missing".into()))?;
    let mut out = format!("{sign} {NOTEBOOK}\n");
    for (place, cell) in cells.iter().enumerate() {
        let text = match &cell["source"] {
            Json::String(text) => text.clone(),
            Json::Array(lines) => lines.iter().filter_map(Json::as_str).collect(),
            _ => return Err(wrong(format!("cell {place} has no \"source\""))),
        };
        if place > 0 {
            out.push_str(&format!("\n{sign} {CELL}\n\n"));
        }
        let is_code = cell["cell_type"] == json!("code");
        let is_magic = text.trim_start().starts_with('%');
        if is_code && !is_magic {
            out.push_str(text.trim_end());
            out.push('\n');
            continue;
        }
        if !is_code {
            out.push_str(&format!("{sign} MAGIC %md\n"));
        }
        for line in text.trim_end().lines() {
            out.push_str(format!("{sign} MAGIC {line}").trim_end());
            out.push('\n');
        }
    }
    Ok(out.into_bytes())
}

fn failed(deed: &'static str, path: &str, source: std::io::Error) -> DataError {
    DataError::Disk { deed, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(path: &str, content: &str, format: ImportFormat, language: Option<&str>, expected: Expect) {
        let shown = match placed(path, content.as_bytes().to_vec(), format, language) {
            Ok((path, content)) => format!("{path}\n{}", String::from_utf8_lossy(&content)),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn what_comes_is_a_file_or_a_notebook() {
        check(
            "/a/x.py",
            "print(1)\n",
            ImportFormat::Auto,
            None,
            expect![[r"
            /a/x.py
            print(1)
        "]],
        );
        check(
            "/a/x.py",
            "# Databricks notebook source\nprint(1)\n",
            ImportFormat::Auto,
            None,
            expect![[r"
            /a/x
            # Databricks notebook source
            print(1)
        "]],
        );
        check(
            "/a/x",
            "SELECT 1\n",
            ImportFormat::Source,
            Some("SQL"),
            expect![[r"
            /a/x
            -- Databricks notebook source
            SELECT 1
        "]],
        );
        check(
            "/a/x",
            "1",
            ImportFormat::Source,
            Some("COBOL"),
            expect![[r#""COBOL" is none of PYTHON, SQL, SCALA and R"#]],
        );
        check(
            "/a/x.ipynb",
            r##"{"cells": [{"cell_type": "markdown", "source": ["# Title\n", "more"]}, {"cell_type": "code", "source": "print(1)"}, {"cell_type": "code", "source": ["%sql\n", "SELECT 1"]}]}"##,
            ImportFormat::Auto,
            None,
            expect![[r"
            /a/x
            # Databricks notebook source
            # MAGIC %md
            # MAGIC # Title
            # MAGIC more

            # COMMAND ----------

            print(1)

            # COMMAND ----------

            # MAGIC %sql
            # MAGIC SELECT 1
        "]],
        );
        check(
            "/a/x.ipynb",
            "{}",
            ImportFormat::Auto,
            None,
            expect![[r#"this is no notebook of Jupyter: "cells" is missing"#]],
        );
    }
}
