//! "Download a file" of the second generation.

use crate::modules::http::request;
use crate::modules::{Behaviour, Module};

/// "Download a file", version 4.
pub const DOWNLOAD_FILE: Module = module!("http:DownloadFile", versions[4], Behaviour::Effect(request::download_file));
