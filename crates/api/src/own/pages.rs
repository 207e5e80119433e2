//! Pages that flows write in Markdown, and that people read who are signed in.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use flows::{Page, PageInfo};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A page to be written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PageToPut)]
pub(super) struct NewPage {
    /// What stands above it, 200 letters at most.
    title: String,
    /// Markdown with tables, 1 MiB at most. HTML in it is shown as it is written.
    text: String,
}

/// A page without its text.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PageOutline)]
pub(super) struct Outline {
    /// What its address ends with.
    name: String,
    title: String,
    /// One more whenever it changed.
    version: u64,
    /// Who wrote it last.
    written_by: String,
    /// When it was last written, also if nothing had changed.
    #[schema(value_type = String, format = DateTime)]
    written_at: Timestamp,
}

impl From<PageInfo> for Outline {
    fn from(info: PageInfo) -> Self {
        let PageInfo { name, title, version, written_by, written_at } = info;
        Outline { name, title, version, written_by, written_at }
    }
}

/// A page.
#[derive(Serialize, ToSchema)]
#[schema(as = Page)]
pub(super) struct Shown {
    #[serde(flatten)]
    outline: Outline,
    /// Markdown.
    text: String,
}

impl From<Page> for Shown {
    fn from(page: Page) -> Self {
        Shown { outline: page.info.into(), text: page.text }
    }
}

/// Lists the pages.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Outline>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.pages().await?.into_iter().map(Outline::from).collect()))
}

/// Shows a page.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(page): Path<String>,
) -> Result<Json<Shown>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.page(&page).await?.into()))
}

/// Writes a page.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(page): Path<String>,
    body::Json(new): body::Json<NewPage>,
) -> Result<Json<Shown>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    Ok(Json(app.flows.write_page(&actor, &page, &new.title, new.text).await?.into()))
}

/// Removes a page.
pub(super) async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(page): Path<String>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.delete_page(&actor, &page).await?;
    Ok(StatusCode::NO_CONTENT)
}
