//! Who may do what, who did what, and how the whole is doing.

use http::Method;

use crate::own::{app_keys, audit, permissions, status};
use crate::surface::Surface;

/// Adds its operations.
pub(in crate::own) fn routes(surface: Surface) -> Surface {
    surface
        .about("house")
        .told(
            Method::GET,
            "/app-keys",
            app_keys::list,
            ("listAppKeys", "Lists the app keys, the revoked ones included; no secret is shown."),
        )
        .gives_list::<app_keys::Key>()
        .told(
            Method::POST,
            "/app-keys",
            app_keys::create,
            ("createAppKey", "Makes an app key; its secret is shown this once."),
        )
        .takes_form::<app_keys::NewKey>()
        .gives::<app_keys::Made>()
        .told(Method::DELETE, "/app-keys/{key}", app_keys::revoke, ("revokeAppKey", "Takes an app key back."))
        .gives_nothing()
        .told(
            Method::GET,
            "/permissions",
            permissions::list,
            ("listPermissions", "Lists grants: of a subject, on a pool or package, else the caller's own."),
        )
        .gives_list::<permissions::GrantShown>()
        .asks::<permissions::Wanted>()
        .told(Method::POST, "/permissions", permissions::grant, ("grantPermission", "Gives an app key a permission."))
        .takes_form::<permissions::Asked>()
        .gives::<permissions::GrantShown>()
        .told(
            Method::POST,
            "/permissions/revoke",
            permissions::revoke,
            ("revokePermission", "Takes a permission back."),
        )
        .takes_form::<permissions::Asked>()
        .gives_nothing()
        .told(Method::GET, "/audit", audit::list, ("listAudit", "Lists entries of an audit trail, the latest first."))
        .gives_list::<audit::Row>()
        .asks::<audit::Wanted>()
        .told(Method::GET, "/status", status::status, ("showStatus", "Tells how much has gone round the loop."))
        .gives::<status::Status>()
        .told(Method::GET, "/me", status::me, ("showMe", "Tells who is signed in."))
        .gives::<status::Me>()
}
