//! Files of the workspace: paths, and where they are on disk.
//!
//! A workspace path is absolute, `/Shared/score.py`, or the same behind
//! `/Workspace`. On disk it is a file below the workspace's folder, and no
//! path leads out of there.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// Bytes that a file may have.
pub(crate) const FILE_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Finds where a workspace path is on disk, below `folder`.
pub(crate) fn disk_path(folder: &Path, path: &str) -> Result<PathBuf, Error> {
    let refuse = |problem| Err(Error::Path { path: path.to_owned(), problem });
    if path.contains("://") || path.starts_with("dbfs:") || path.starts_with("/Volumes/") {
        return refuse("only files that were imported into the workspace can be run");
    }
    let Some(inside) = path.strip_prefix("/Workspace/").or_else(|| path.strip_prefix('/')) else {
        return refuse("it does not begin with \"/\"");
    };
    let mut place = folder.to_owned();
    for name in inside.split('/') {
        match name {
            "" => return refuse("a part of it is empty"),
            "." | ".." => return refuse("\".\" and \"..\" are not followed"),
            _ if name.contains(['\0', '\\']) || name.len() > 255 => return refuse("a part of it is not a file name"),
            _ => place.push(name),
        }
    }
    Ok(place)
}
