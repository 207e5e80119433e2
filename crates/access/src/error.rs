//! What can be wrong with who may do what.

use base::error::{Coded, Kind};

use crate::permission::{Permission, Scope};

/// Why access did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `Authorization` header.
    #[error("the request has no authorization header")]
    NoCredentials,
    /// The header is empty, has one word only, or another scheme.
    #[error("the authorization header is malformed: its scheme must be Bearer or AppKey")]
    WrongScheme,
    /// What follows the scheme is not base64 of `id:secret`.
    #[error("the authorization header is malformed: after Bearer or AppKey there must be base64 of id:secret")]
    Malformed,
    /// There is no app key of this id, or it was revoked.
    #[error("the app key is unknown or revoked")]
    UnknownKey,
    /// The secret is not the app key's.
    #[error("the app key's secret is wrong")]
    WrongSecret,
    /// The actor lacks a permission.
    #[error("\"{actor}\" lacks the permission \"{permission}\" on {scope}")]
    Denied {
        /// The actor's name.
        actor: String,
        /// What is lacking.
        permission: Permission,
        /// On what.
        scope: Scope,
    },
    /// The verb is for administrators.
    #[error("\"{actor}\" is not an administrator")]
    NotAdministrator {
        /// The actor's name.
        actor: String,
    },
    /// A credential text is not `id:secret`.
    #[error("an app key is written \"id:secret\", its id of letters, digits, \".\", \"_\" and \"-\"")]
    NotACredential,
    /// A name is empty or too long.
    #[error("a name has 1 to 200 characters")]
    BadName,
    /// A package key is not one.
    #[error("\"{key}\" is not a package key: it has 1 to 100 letters, digits, \"_\" and \"-\"")]
    BadPackageKey {
        /// As given.
        key: String,
    },
    /// A permission is not for this kind of scope.
    #[error("the permission \"{permission}\" cannot be granted on {scope}")]
    WrongScope {
        /// Which permission.
        permission: Permission,
        /// On what.
        scope: Scope,
    },
    /// There is no such app key.
    #[error("there is no app key \"{id}\"")]
    NoSuchAppKey {
        /// As asked for.
        id: String,
    },
    /// There is no such package.
    #[error("there is no package \"{key}\"")]
    NoSuchPackage {
        /// As asked for.
        key: String,
    },
    /// Too many callers present keys that are new to this process at once.
    #[error("too many keys wait to be checked")]
    Busy,
    /// The control database failed.
    #[error(transparent)]
    Database(#[from] base::db::Error),
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::NoCredentials | Error::WrongScheme | Error::Malformed | Error::UnknownKey | Error::WrongSecret => {
                Kind::Unauthenticated
            }
            Error::Denied { .. } | Error::NotAdministrator { .. } => Kind::Denied,
            Error::NotACredential | Error::BadName | Error::BadPackageKey { .. } | Error::WrongScope { .. } => {
                Kind::Invalid
            }
            Error::NoSuchAppKey { .. } | Error::NoSuchPackage { .. } => Kind::NotFound,
            Error::Busy => Kind::Unavailable,
            Error::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::NoCredentials => "credentials-missing",
            Error::WrongScheme => "credentials-scheme",
            Error::Malformed => "credentials-malformed",
            Error::UnknownKey => "app-key-unknown",
            Error::WrongSecret => "app-key-wrong-secret",
            Error::Denied { .. } => "permission-denied",
            Error::NotAdministrator { .. } => "administrator-required",
            Error::NotACredential => "app-key-invalid",
            Error::BadName => "name-invalid",
            Error::BadPackageKey { .. } => "package-key-invalid",
            Error::WrongScope { .. } => "permission-scope",
            Error::NoSuchAppKey { .. } => "app-key-not-found",
            Error::NoSuchPackage { .. } => "package-not-found",
            Error::Busy => "sign-in-busy",
            Error::Database(error) => error.code(),
        }
    }
}
