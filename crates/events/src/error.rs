//! What can be wrong with a call on a subscription.

use base::error::{Coded, Kind};
use base::http::HttpError;
use base::secret::SecretError;

use crate::SubscriptionId;
use crate::refusal::Refusal;

/// Why a verb of this crate did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is missing or too long.
    #[error("the name of a subscription must have 1 to 1024 characters")]
    NameIllegal,
    /// The callback's address cannot be used.
    #[error("the callback \"{uri}\" cannot be used: {reason}")]
    UriIllegal {
        /// The address without what may be secret in it.
        uri: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A header has no name or no value.
    #[error("a callback header needs a name and a value")]
    EmptyHeader,
    /// A header may not be set.
    #[error("the callback header \"{name}\" cannot be set: {reason}")]
    HeaderRefused {
        /// Its name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// The headers are too long.
    #[error("the callback headers have {bytes} bytes, more than the {bytes_max} that are allowed")]
    HeadersTooLong {
        /// What they have.
        bytes: usize,
        /// What they may have.
        bytes_max: usize,
    },
    /// Nobody answers at the callback's address.
    #[error("the callback could not be reached")]
    CallbackFailed {
        /// What happened instead.
        #[source]
        source: HttpError,
    },
    /// A delivery setting lies outside its bounds.
    #[error("the delivery setting \"{setting}\" is {value}, it must lie between {min} and {max}")]
    PolicyOutOfBounds {
        /// Its name.
        setting: &'static str,
        /// What was asked for.
        value: u64,
        /// At least.
        min: u64,
        /// At most.
        max: u64,
    },
    /// A list was asked for in an order that it does not have.
    #[error("subscriptions cannot be sorted by \"{field}\"")]
    SortIllegal {
        /// As asked for.
        field: String,
    },
    /// There are as many subscriptions as there may be.
    #[error("there are already {max} subscriptions, as many as are allowed")]
    TooManySubscriptions {
        /// How many that is.
        max: u64,
    },
    /// There is no such subscription.
    #[error("there is no subscription \"{id}\"")]
    NotFound {
        /// As asked for.
        id: String,
    },
    /// Somebody else's.
    #[error("subscription \"{id}\" belongs to somebody else; only its owner or an administrator may do this")]
    NotOwner {
        /// Whose id.
        id: SubscriptionId,
    },
    /// The secret was already read.
    #[error("the secret of subscription \"{id}\" was already read; rotate it to get a new one")]
    SecretAlreadyRead {
        /// Whose secret.
        id: SubscriptionId,
    },
    /// The state of the subscription forbids it.
    #[error("cannot {verb} subscription \"{id}\": {refusal}", verb = refusal.verb().words())]
    Refused {
        /// Which subscription.
        id: SubscriptionId,
        /// What is in the way.
        refusal: Refusal,
    },
    /// A sealed secret cannot be opened.
    #[error("a secret of subscription \"{id}\" cannot be opened")]
    Sealed {
        /// Whose secret.
        id: SubscriptionId,
        /// What is wrong with the key or the seal.
        #[source]
        source: SecretError,
    },
    /// The database did not do as told.
    #[error(transparent)]
    Database(#[from] base::db::Error),
    /// The program is going down while the call was under way.
    #[error("the call was cut off because the program is stopping")]
    Stopping,
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::NameIllegal
            | Error::UriIllegal { .. }
            | Error::EmptyHeader
            | Error::HeaderRefused { .. }
            | Error::HeadersTooLong { .. }
            | Error::CallbackFailed { .. }
            | Error::PolicyOutOfBounds { .. }
            | Error::SortIllegal { .. } => Kind::Invalid,
            Error::TooManySubscriptions { .. } => Kind::Conflict,
            Error::NotFound { .. } => Kind::NotFound,
            Error::NotOwner { .. } => Kind::Denied,
            Error::SecretAlreadyRead { .. } => Kind::Gone,
            Error::Refused { refusal, .. } => refusal.kind(),
            Error::Sealed { .. } => Kind::Internal,
            Error::Database(error) => error.kind(),
            Error::Stopping => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::NameIllegal => "subscription-name-illegal",
            Error::UriIllegal { .. } => "callback-uri-illegal",
            Error::EmptyHeader => "callback-header-empty",
            Error::HeaderRefused { .. } => "callback-header-refused",
            Error::HeadersTooLong { .. } => "callback-headers-too-long",
            Error::CallbackFailed { .. } => "callback-failed",
            Error::PolicyOutOfBounds { .. } => "delivery-setting-out-of-bounds",
            Error::SortIllegal { .. } => "sort-illegal",
            Error::TooManySubscriptions { .. } => "too-many-subscriptions",
            Error::NotFound { .. } => "subscription-not-found",
            Error::NotOwner { .. } => "subscription-of-somebody-else",
            Error::SecretAlreadyRead { .. } => "secret-already-read",
            Error::Refused { refusal, .. } => refusal.code(),
            Error::Sealed { .. } => "secret-sealed",
            Error::Database(error) => error.code(),
            Error::Stopping => "stopping",
        }
    }

    fn advice(&self) -> Option<&'static str> {
        match self {
            Error::Refused { refusal, .. } => Some(refusal.advice()),
            _ => None,
        }
    }
}
