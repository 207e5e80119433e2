//! Volumes: files of the data side, at `/Volumes/{catalog}/{schema}/{volume}/…`.
//!
//! There is one catalog, `loopwright`; a schema is a pool. On disk a volume is
//! a folder below the workspace's own, and no path leads out of there. Tasks
//! find the folder that stands for `/Volumes` in the environment variable
//! [`VOLUMES_VARIABLE`].

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::workspace::Workspace;

/// Name of the environment variable that tells a task where `/Volumes` is.
pub const VOLUMES_VARIABLE: &str = "LOOPWRIGHT_VOLUMES";

impl Workspace {
    /// Returns the folder that stands for `/Volumes`.
    pub fn volumes_folder(&self) -> PathBuf {
        self.folder.join("volumes")
    }

    /// Finds where a path such as `/Volumes/loopwright/orders/in/a.csv` (or
    /// the same behind `dbfs:`) is on disk. Nothing need be there.
    pub fn volume_path(&self, path: &str) -> Result<PathBuf, Error> {
        volume_path(&self.volumes_folder(), path)
    }
}

/// Tells whether a path is one of a volume.
pub(crate) fn is_in_one(path: &str) -> bool {
    path.strip_prefix("dbfs:").unwrap_or(path).starts_with("/Volumes/")
}

/// Finds where a path of a volume is on disk, below `folder`.
pub(crate) fn volume_path(folder: &Path, path: &str) -> Result<PathBuf, Error> {
    let refuse = |problem| Err(Error::Path { path: path.to_owned(), problem });
    let plain = path.strip_prefix("dbfs:").unwrap_or(path);
    let Some(inside) = plain.strip_prefix("/Volumes/") else {
        return refuse("it does not begin with \"/Volumes/\"");
    };
    let mut place = folder.to_owned();
    let mut depth = 0;
    for name in inside.trim_end_matches('/').split('/') {
        match name {
            "" => return refuse("a part of it is empty"),
            "." | ".." => return refuse("\".\" and \"..\" are not followed"),
            _ if name.contains(['\0', '\\']) || name.len() > 255 => return refuse("a part of it is not a file name"),
            // Names of catalogs, schemas and volumes have no case.
            _ if depth < 3 => place.push(name.to_lowercase()),
            _ => place.push(name),
        }
        depth += 1;
    }
    if depth < 3 {
        return refuse("it needs a catalog, a schema and a volume: \"/Volumes/loopwright/<pool>/<volume>/…\"");
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_their_volume() {
        for (path, expected) in [
            ("/Volumes/loopwright/Orders/in/A.csv", Some("/v/loopwright/orders/in/A.csv")),
            ("dbfs:/Volumes/loopwright/orders/in/a/b.csv", Some("/v/loopwright/orders/in/a/b.csv")),
            ("/Volumes/loopwright/orders/in", Some("/v/loopwright/orders/in")),
            ("/Volumes/loopwright/orders/in/", Some("/v/loopwright/orders/in")),
            ("/Volumes/loopwright/orders", None),
            ("/Volumes/loopwright/orders/in/../../x", None),
            ("/Volumes/../../x/y", None),
            ("/Volumes//a/b/c", None),
            ("/Workspace/a", None),
        ] {
            assert_eq!(volume_path(Path::new("/v"), path).ok().as_deref(), expected.map(Path::new), "{path}");
        }
    }
}
