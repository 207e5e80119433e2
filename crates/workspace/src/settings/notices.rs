//! Who is told how a run went: `webhook_notifications`,
//! `notification_settings` and `health`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::JobSettings;
use super::check::says_nothing;
use crate::error::Error;

/// Destinations that one event may have.
const DESTINATIONS_MAX: usize = 3;

/// Who is told of which event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookNotifications {
    /// A run starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_start: Vec<Webhook>,
    /// It ended well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_success: Vec<Webhook>,
    /// It did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_failure: Vec<Webhook>,
    /// It takes longer than a rule of [`Health`] says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_duration_warning_threshold_exceeded: Vec<Webhook>,
}

/// One who is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Names the notification destination.
    pub id: String,
}

/// What is not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationSettings {
    /// Nobody hears of a run that was skipped.
    #[serde(default)]
    pub no_alert_for_skipped_runs: bool,
    /// Nobody hears of a run that was canceled.
    #[serde(default)]
    pub no_alert_for_canceled_runs: bool,
}

/// What a run in good health looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// Each must hold.
    #[serde(default)]
    pub rules: Vec<HealthRule>,
}

/// A rule that is broken when the measure is above the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthRule {
    /// What is measured: `RUN_DURATION_SECONDS`.
    pub metric: String,
    /// `GREATER_THAN`
    pub op: String,
    /// Seconds.
    pub value: u64,
}

impl WebhookNotifications {
    /// Returns the events with those who are told.
    pub fn all(&self) -> [(&'static str, &[Webhook]); 4] {
        [
            ("on_start", &self.on_start),
            ("on_success", &self.on_success),
            ("on_failure", &self.on_failure),
            ("on_duration_warning_threshold_exceeded", &self.on_duration_warning_threshold_exceeded),
        ]
    }

    /// Tells whether nobody is told of anything.
    pub fn is_empty(&self) -> bool {
        self.all().iter().all(|(_, told)| told.is_empty())
    }
}

impl JobSettings {
    /// Returns after how long a run takes too long, if that is said.
    pub fn duration_limit(&self) -> Option<Duration> {
        let rules = self.health.iter().flat_map(|health| &health.rules);
        rules.map(|rule| Duration::from_secs(rule.value)).min()
    }

    pub(super) fn check_notices(&self) -> Result<(), Error> {
        for (event, told) in self.webhook_notifications.all() {
            if told.len() > DESTINATIONS_MAX {
                let count = told.len();
                let detail = format!(
                    "webhook_notifications.{event} has {count} destinations, and {DESTINATIONS_MAX} are allowed"
                );
                return Err(Error::Settings { detail });
            }
        }
        for rule in self.health.iter().flat_map(|health| &health.rules) {
            if rule.metric != "RUN_DURATION_SECONDS" {
                let hint = ": \"RUN_DURATION_SECONDS\" is".to_owned();
                return Err(Error::Unsupported { setting: format!("health.rules.{}", rule.metric), hint });
            }
            if rule.op != "GREATER_THAN" || rule.value == 0 {
                let detail = format!(
                    "health.rules: \"{} {} {}\" must read \"RUN_DURATION_SECONDS GREATER_THAN\" and a number above 0",
                    rule.metric, rule.op, rule.value
                );
                return Err(Error::Settings { detail });
            }
        }
        Ok(())
    }
}

/// Names what nobody is told of here, before it becomes an error about an
/// unknown field; what says nothing is dropped.
pub(super) fn check_events(document: &mut Json) -> Result<(), Error> {
    let Some(events) = document.get_mut("webhook_notifications").and_then(Json::as_object_mut) else {
        return Ok(());
    };
    let streaming = "on_streaming_backlog_exceeded";
    match events.remove(streaming) {
        Some(told) if !says_nothing(&told) => {
            let hint = ": there are no streaming tasks here".to_owned();
            Err(Error::Unsupported { setting: format!("webhook_notifications.{streaming}"), hint })
        }
        _ => Ok(()),
    }
}
