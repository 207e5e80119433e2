//! Who is doing this now.

use serde::{Deserialize, Serialize};

use crate::Causes;

/// What sort of someone an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// A person.
    User,
    /// A program with a long-lived key of its own.
    AppKey,
    /// A program that signs in by OAuth.
    ServicePrincipal,
    /// Loopwright itself: a schedule, a recovery, a flusher.
    System,
}

impl ActorKind {
    /// Returns the stored form, the same as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            ActorKind::User => "user",
            ActorKind::AppKey => "app-key",
            ActorKind::ServicePrincipal => "service-principal",
            ActorKind::System => "system",
        }
    }

    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "user" => Some(ActorKind::User),
            "app-key" => Some(ActorKind::AppKey),
            "service-principal" => Some(ActorKind::ServicePrincipal),
            "system" => Some(ActorKind::System),
            _ => None,
        }
    }
}

/// The person or program on whose behalf something happens. Every verb that
/// changes something takes one; every audit row names one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Stable id, as text, because its form depends on the kind.
    pub id: String,
    /// What people read.
    pub name: String,
    /// What sort of someone this is.
    pub kind: ActorKind,
    /// May do everything.
    pub administrator: bool,
    /// What made it act, as far as it says so and may be believed. It belongs
    /// to the act and not to the actor, so it is not written down with it.
    #[serde(skip)]
    pub causes: Causes,
}

impl Actor {
    /// Returns the actor that stands for Loopwright itself, e.g. `system("recovery")`.
    pub fn system(part: &str) -> Self {
        Actor {
            id: format!("system:{part}"),
            name: format!("Loopwright ({part})"),
            kind: ActorKind::System,
            administrator: true,
            causes: Causes::NONE,
        }
    }
}
