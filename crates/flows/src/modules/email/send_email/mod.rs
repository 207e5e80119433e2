//! "Send an email".

use crate::modules::email::{Attachment, MailCall, Priority};
use crate::modules::http::named;
use crate::modules::{Behaviour, Call, Class, Module, ModuleError, Plan};
use crate::value::Value;

/// "Send an email", version 7.
pub const SEND_EMAIL: Module = module!("email:ActionSendEmail", versions[7], Behaviour::Effect(send));

fn send(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let input = call.input;
    let invalid = |message: String| ModuleError::new(Class::BundleValidationError, message);
    let Some(connection) = named::connection(call.parameters) else {
        let message = "mail needs a connection of kind \"smtp\": name one in the setting \"connection\"";
        return Err(ModuleError::new(Class::InvalidConfigurationError, message));
    };
    let text = |name: &str| Some(input.field(name)).filter(|value| !value.is_empty()).map(|value| value.to_text());
    let (html, plain) = match input.field("contentType").to_text().as_str() {
        // Both together are two forms of one mail.
        "html" | "" => (text("html"), text("text")),
        "text" => (None, text("text")),
        other => return Err(invalid(format!("contentType: \"{other}\" is neither html nor text"))),
    };
    let mail = MailCall {
        connection,
        from: text("from"),
        sender: text("sender"),
        to: texts(&input.field("to")),
        cc: texts(&input.field("cc")),
        bcc: texts(&input.field("bcc")),
        reply_to: text("replyTo"),
        subject: input.field("subject").to_text(),
        text: plain,
        html,
        attachments: attachments(&input.field("attachments"))?,
        in_reply_to: text("inReplyTo"),
        references: texts(&input.field("references")),
        priority: match input.field("priority").to_text().as_str() {
            "high" => Priority::High,
            "low" => Priority::Low,
            "normal" | "" => Priority::Normal,
            other => return Err(invalid(format!("priority: \"{other}\" is not high, normal or low"))),
        },
        headers: headers(&input.field("headers")),
    };
    if mail.to.is_empty() && mail.cc.is_empty() && mail.bcc.is_empty() {
        return Err(invalid("missing value of required parameter \"to\"".into()));
    }
    Ok(Plan::Mail(Box::new(mail)))
}

/// Reads texts, of which one may stand alone.
fn texts(value: &Value) -> Vec<String> {
    let all = match value {
        Value::Array(values) => values.iter().map(Value::to_text).collect(),
        other => vec![other.to_text()],
    };
    all.into_iter().filter(|text| !text.trim().is_empty()).collect()
}

fn attachments(value: &Value) -> Result<Vec<Attachment>, ModuleError> {
    let Value::Array(files) = value else { return Ok(Vec::new()) };
    let file = |file: &Value| {
        let name = file.field("fileName").to_text();
        if name.is_empty() {
            let message = "attachments: a file has no \"fileName\"";
            return Err(ModuleError::new(Class::BundleValidationError, message));
        }
        let cid = Some(file.field("cid")).filter(|cid| !cid.is_empty()).map(|cid| cid.to_text());
        Ok(Attachment { file_name: name, data: file.field("data").to_bytes(), cid })
    };
    files.iter().map(file).collect()
}

fn headers(value: &Value) -> Vec<(String, String)> {
    let Value::Array(headers) = value else { return Vec::new() };
    let pair = |header: &Value| (header.field("key").to_text(), header.field("value").to_text());
    headers.iter().map(pair).filter(|(name, _)| !name.is_empty()).collect()
}
