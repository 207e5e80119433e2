//! Notices: what people were or will be told about their subscriptions.

use axum::Json;
use axum::extract::State;
use base::Timestamp;
use events::{Notice, SubscriptionId};
use serde::Serialize;
use utoipa::ToSchema;

use super::page::Asked;
use crate::app::App;
use crate::body::Query;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::problem::Problems;

/// Something that an owner, or an administrator, should know.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Notice)]
pub(super) struct Shown {
    /// Rises from notice to notice.
    id: u64,
    /// What happened, as a word such as `failed`, `active-again` or `alert`.
    kind: &'static str,
    /// To which subscription; nothing if it concerns all of them.
    #[schema(value_type = Option<String>, format = "uuid", required = true)]
    subscription: Option<SubscriptionId>,
    /// What the subscription was called then.
    name: String,
    /// Whose it is; nothing if it is for administrators.
    #[schema(required = true)]
    owner: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The news in whole sentences.
    text: String,
}

/// Some notices, the latest first.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Notices)]
pub(super) struct NoticePage {
    page: u64,
    page_size: u64,
    /// How many there are on all pages.
    total: u64,
    notices: Vec<Shown>,
}

/// Lists the notices about subscriptions, the latest first.
///
/// They are about the caller's own; an administrator sees all.
#[utoipa::path(
    get,
    path = "/api/v1/notices",
    operation_id = "listNotices",
    tag = "delivery",
    params(Asked),
    responses((status = 200, description = "A page of notices.", body = NoticePage), Problems)
)]
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Json<NoticePage>, Fault> {
    let paging = asked.paging()?;
    let page = app.events.notices(&actor, paging).await?;
    let notices = page.content.into_iter().map(Shown::from).collect();
    Ok(Json(NoticePage { page: paging.page, page_size: paging.size, total: page.total, notices }))
}

impl From<Notice> for Shown {
    fn from(notice: Notice) -> Self {
        Shown {
            id: notice.id,
            kind: notice.kind.word(),
            subscription: notice.subscription,
            name: notice.name,
            owner: notice.owner.map(|owner| owner.name),
            at: notice.at,
            text: notice.text,
        }
    }
}
