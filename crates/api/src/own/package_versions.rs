//! What is published together: knowledge models and flows of a package.
//!
//! Everything is checked before anything is published. Then the models are
//! published, because flows listen to their triggers, each in its own
//! transaction; then the flows and the version itself in one. Whoever is
//! interrupted in between publishes once more: what is published already makes
//! no new version.

use axum::Json;
use axum::extract::{Path, State};
use flows::package::{PackageVersion, Part, PartKind};
use flows::{FlowState, ImportedFlow, Notice, Reading};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::flow_versions::{Remarks, reading};
use crate::app::App;
use crate::body::{self, MaybeJson};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A flow or knowledge model of a package, as it stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PackageContent)]
pub(super) struct Content {
    kind: PartKind,
    key: String,
    name: String,
    #[schema(required = true)]
    version: Option<u64>,
    /// The draft is another one than what is published.
    draft_ahead: bool,
    /// Its schedule or hook is on; of flows only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    active: Option<bool>,
}

/// Lists what lies in a package.
pub(super) async fn contents(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(package): Path<String>,
) -> Result<Json<Vec<Content>>, Fault> {
    app.access.package(&actor, &package).await?;
    rights::use_package(&app, &actor, &package).await?;
    let mut contents = Vec::new();
    for model in models_of(&app, &package).await? {
        let texts = app.mining.get(&model.id).await?;
        contents.push(Content {
            kind: PartKind::KnowledgeModel,
            key: model.id,
            name: model.display_name,
            version: model.published,
            draft_ahead: texts.published.as_deref() != Some(texts.draft.as_str()),
            active: None,
        });
    }
    for flow in app.flows.in_package(&package).await? {
        contents.push(Content {
            kind: PartKind::Flow,
            key: flow.key,
            name: flow.name,
            version: flow.version,
            draft_ahead: flow.draft_ahead,
            active: Some(flow.state == FlowState::Active),
        });
    }
    Ok(Json(contents))
}

/// Puts a flow into a package, or takes it out of it.
pub(super) async fn put_flow(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((package, flow)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.access.package(&actor, &package).await?;
    rights::edit_package(&app, &actor, &package).await?;
    app.flows.put_in_package(&actor, &flow, Some(&package)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a flow out of a package; it stays as it is.
pub(super) async fn remove_flow(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((package, flow)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    rights::edit_package(&app, &actor, &package).await?;
    if app.flows.in_package(&package).await?.iter().any(|known| known.key == flow) {
        app.flows.put_in_package(&actor, &flow, None).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Publishes all drafts of a package, or none.
pub(super) async fn publish(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(package): Path<String>,
    MaybeJson(remarks): MaybeJson<Remarks>,
) -> Result<Json<PackageVersion>, Fault> {
    app.access.package(&actor, &package).await?;
    rights::edit_package(&app, &actor, &package).await?;
    let models = models_of(&app, &package).await?;
    for model in &models {
        let findings = app.mining.check_draft(&model.id).await?;
        if let Some(first) = findings.mistakes.first() {
            let (path, line) = (&first.path, first.line);
            let detail = format!(
                "nothing was published: knowledge model \"{}\", {path} (line {line}): {}",
                model.id, first.detail
            );
            return Err(Fault::new(StatusCode::BAD_REQUEST, "package-not-publishable", detail));
        }
    }
    app.flows.check_package(&actor, &package).await?;
    let mut parts = Vec::new();
    for model in models {
        let texts = app.mining.get(&model.id).await?;
        let is_there = texts.published.as_deref() == Some(texts.draft.as_str());
        let version = match model.published.filter(|_| is_there) {
            Some(version) => version,
            None => app.mining.publish(&actor, &model.id).await?.version,
        };
        parts.push(Part { kind: PartKind::KnowledgeModel, key: model.id, version });
    }
    let note = remarks.unwrap_or_default().note;
    Ok(Json(app.flows.publish_package(&actor, &package, note, parts).await?))
}

/// A package whose flows were switched on.
#[derive(Serialize, ToSchema)]
#[schema(as = PackageActivated)]
pub(super) struct Activated {
    package: String,
    notices: Vec<AboutFlow>,
}

/// What is noteworthy about a flow of a package.
#[derive(Serialize, ToSchema)]
#[schema(as = PackageNotice)]
struct AboutFlow {
    flow: String,
    text: String,
}

/// What two versions of a package differ in.
#[derive(Serialize, ToSchema)]
#[schema(as = PackageDifference)]
pub(super) struct Difference {
    parts: Vec<PartChange>,
}

/// A part that is other in one of them.
#[derive(Serialize, ToSchema)]
#[schema(as = PackagePartChange)]
struct PartChange {
    kind: PartKind,
    key: String,
    /// `added`, `removed` or `changed`.
    change: &'static str,
    text: String,
}

/// What an upload brought, or would bring.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FlowsImported)]
pub(super) struct Imported {
    dry_run: bool,
    flows: Vec<ImportedFlow>,
}

/// Switches schedules and hooks of all flows of a package on.
pub(super) async fn activate(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(package): Path<String>,
) -> Result<Json<Activated>, Fault> {
    app.access.package(&actor, &package).await?;
    rights::edit_package(&app, &actor, &package).await?;
    let mut notices = Vec::new();
    let flows = app.flows.in_package(&package).await?;
    // All of them or none.
    if let Some(flow) = flows.iter().find(|flow| flow.version.is_none()) {
        let detail = format!("flow \"{}\" has no published version: publish the package first", flow.key);
        return Err(Fault::new(StatusCode::CONFLICT, "flow-not-published", detail));
    }
    for flow in flows {
        let told: Vec<Notice> = app.flows.activate(&actor, &flow.key).await?;
        notices.extend(told.iter().map(|notice| AboutFlow { flow: flow.key.clone(), text: notice.to_string() }));
    }
    Ok(Json(Activated { package, notices }))
}

/// Lists the versions of a package, the latest first.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(package): Path<String>,
) -> Result<Json<Vec<PackageVersion>>, Fault> {
    app.access.package(&actor, &package).await?;
    rights::use_package(&app, &actor, &package).await?;
    Ok(Json(app.flows.package_versions(&package).await?))
}

/// Tells what two versions of a package, or a version and the drafts, differ in.
pub(super) async fn difference(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((package, from, to)): Path<(String, String, String)>,
) -> Result<Json<Difference>, Fault> {
    app.access.package(&actor, &package).await?;
    rights::use_package(&app, &actor, &package).await?;
    let (from, to) = (parts(&app, &package, &from).await?, parts(&app, &package, &to).await?);
    let mut all: Vec<&(PartKind, String)> = from.iter().chain(&to).map(|(part, _)| part).collect();
    all.sort();
    all.dedup();
    let mut told = Vec::new();
    for part @ (kind, key) in all {
        let at = |side: &[((PartKind, String), Option<u64>)]| {
            side.iter().find(|(known, _)| known == part).map(|(_, version)| *version)
        };
        let (change, text) = match (at(&from), at(&to)) {
            (None, Some(_)) => ("added", String::new()),
            (Some(_), None) => ("removed", String::new()),
            (Some(before), Some(after)) if before == after => continue,
            (Some(before), Some(after)) => {
                let text = match kind {
                    PartKind::Flow => {
                        let side = |version: Option<u64>| version.map_or(Reading::Draft, Reading::Version);
                        app.flows.difference(key, side(before), side(after)).await?.to_string()
                    }
                    PartKind::KnowledgeModel => {
                        let side = |version: Option<u64>| version.map_or(mining::Which::Draft, mining::Which::Version);
                        app.mining.difference(key, side(before), side(after)).await?.text
                    }
                };
                if text.is_empty() {
                    continue;
                }
                ("changed", text)
            }
            (None, None) => continue,
        };
        told.push(PartChange { kind: *kind, key: key.clone(), change, text });
    }
    Ok(Json(Difference { parts: told }))
}

/// Publishes an older version of a package again, as a new one.
pub(super) async fn roll_back(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((package, version)): Path<(String, u64)>,
    MaybeJson(remarks): MaybeJson<Remarks>,
) -> Result<Json<PackageVersion>, Fault> {
    app.access.package(&actor, &package).await?;
    rights::edit_package(&app, &actor, &package).await?;
    let wanted = app.flows.package_version(&package, version).await?;
    let published = models_of(&app, &package).await?;
    let mut parts = Vec::new();
    for part in wanted.parts.into_iter().filter(|part| part.kind == PartKind::KnowledgeModel) {
        let now = published.iter().find(|model| model.id == part.key).and_then(|model| model.published);
        let version = match now {
            Some(now) if now == part.version => now,
            _ => app.mining.roll_back(&actor, &part.key, part.version).await?.version,
        };
        parts.push(Part { version, ..part });
    }
    let note = remarks.unwrap_or_default().note;
    Ok(Json(app.flows.roll_back_package(&actor, &package, version, note, parts).await?))
}

async fn models_of(app: &App, package: &str) -> Result<Vec<mining::ModelSummary>, Fault> {
    Ok(app.mining.list().await?.into_iter().filter(|model| model.package == package).collect())
}

type Version = ((PartKind, String), Option<u64>);

/// Returns the parts of a version, or those of the drafts, which have none.
async fn parts(app: &App, package: &str, which: &str) -> Result<Vec<Version>, Fault> {
    let number = match reading(which)? {
        Reading::Version(number) => Some(number),
        Reading::Published => app.flows.package_versions(package).await?.first().map(|version| version.version),
        Reading::Draft => None,
    };
    if let Some(number) = number {
        let version = app.flows.package_version(package, number).await?;
        return Ok(version.parts.into_iter().map(|part| ((part.kind, part.key), Some(part.version))).collect());
    }
    let mut parts: Vec<Version> = Vec::new();
    if which == "draft" {
        let models = models_of(app, package).await?;
        parts.extend(models.into_iter().map(|model| ((PartKind::KnowledgeModel, model.id), None)));
        let flows = app.flows.in_package(package).await?;
        parts.extend(flows.into_iter().map(|flow| ((PartKind::Flow, flow.key), None)));
    }
    Ok(parts)
}

/// Whose drafts are put into a package by an upload.
pub(super) async fn import(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Query(wanted): body::Query<Upload>,
    bytes: axum::body::Bytes,
) -> Result<Json<Imported>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    if let Some(package) = &wanted.package {
        app.access.package(&actor, package).await?;
        rights::edit_package(&app, &actor, package).await?;
    }
    let dry_run = wanted.dry_run.as_deref() == Some("true");
    let options = flows::ImportOptions { key: wanted.key, package: wanted.package, dry_run };
    let flows = app.flows.import(&actor, &bytes, options).await?;
    Ok(Json(Imported { dry_run, flows }))
}

/// How an upload is brought in.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct Upload {
    /// Key of the flow, if the upload is one.
    key: Option<String>,
    /// The package into which the flows go.
    package: Option<String>,
    /// `true` only tells what would come.
    dry_run: Option<String>,
}
