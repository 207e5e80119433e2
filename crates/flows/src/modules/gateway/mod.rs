//! Hooks: requests and mails from outside that start a flow, and its answer to
//! them.

pub mod custom_webhook;
pub mod custom_mailhook;
pub mod webhook_respond;

/// Tells whether flows that start with a module take from a hook.
pub(crate) fn takes_from_hook(module: &str) -> bool {
    [custom_webhook::CUSTOM_WEBHOOK.name, custom_mailhook::CUSTOM_MAILHOOK.name].contains(&module)
}
