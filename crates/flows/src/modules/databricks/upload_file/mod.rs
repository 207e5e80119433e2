//! A file is put into a volume.

use crate::databricks::act::Act;
use crate::databricks::body::{self, invalid};
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Puts a file into a volume of the workspace.
pub const UPLOAD_FILE: Module = module!("databricks:UploadFile", versions[1], Behaviour::Effect(upload));

fn upload(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let path = body::needed(call, "path")?;
    checked(&path)?;
    if path.ends_with('/') {
        return Err(invalid(format!("path: \"{path}\" is a folder: the name of the file stands behind it")));
    }
    let overwrite = call.parameters.get("overwrite").and_then(serde_json::Value::as_bool).unwrap_or(true);
    let content = call.input.field("data").to_bytes();
    super::planned(call, UPLOAD_FILE.name, Act::Upload { path, content, overwrite })
}

/// Refuses a path that is not in a volume.
pub(super) fn checked(path: &str) -> Result<(), ModuleError> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let is_volume = path.starts_with("/Volumes/") && parts.len() >= 4 && parts[..4].iter().all(|part| !part.is_empty());
    if !is_volume || parts.contains(&"..") {
        return Err(invalid(format!("\"{path}\" is not in a volume: it begins with /Volumes/CATALOG/SCHEMA/VOLUME")));
    }
    Ok(())
}
