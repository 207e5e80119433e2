//! Jobs.

use base::{Actor, Timestamp};
use serde_json::Value as Json;

use crate::error::Error;
use crate::paging::{Cursor, Page, Place, limit_of, page};
use crate::settings::{self, ApiVersion, JobSettings};
use crate::workspace::{Workspace, note};
use crate::{JobId, acting, clockwork, destinations, permission, tables};

const JOBS_PAGE_MAX: u32 = 100;

/// Named work.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Name of the actor who made it; never empty.
    pub creator: String,
    /// On whose behalf it runs: who made it, unless `run_as` says another. Jobs
    /// from before this was kept have nobody.
    pub owner: Option<Actor>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it is; [`JobSettings::document`] is its JSON form.
    pub settings: JobSettings,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobsQuery {
    /// At most so many: 1 to 100.
    pub limit: Option<u32>,
    /// Only jobs of this name, whatever the case.
    pub name: Option<String>,
    /// Where the page before ended.
    pub page_token: Option<String>,
    /// The old way to page: how many to pass over.
    pub offset: Option<u32>,
    /// Only jobs that this actor may see; all where there is none.
    pub viewer: Option<Actor>,
}

impl Workspace {
    /// Makes a job from its settings.
    pub async fn create_job(&self, actor: &Actor, mut settings: Json, version: ApiVersion) -> Result<JobId, Error> {
        let rules = permission::taken_from(&mut settings)?;
        let job = Job {
            id: JobId::new(&*self.chance),
            creator: actor.name.clone(),
            owner: None,
            created_at: self.clock.now(),
            settings: JobSettings::read(settings, version)?,
        };
        let (id, actor) = (job.id, actor.clone());
        self.db
            .write("workspace.create_job", move |tx| {
                let owner = acting::of_new(tx, &actor, &job.settings)?;
                let job = Job { owner: Some(owner), ..job.clone() };
                destinations::check_named(tx, &job.settings)?;
                tables::insert_job(tx, &job)?;
                clockwork::set(tx, job.id, None, &job.settings, job.created_at)?;
                permission::begin(tx, &actor, job.id.0, rules.clone())?;
                let after = Some(job.settings.document());
                note(tx, &actor, "create", "workspace-job", &job.id.to_string(), (None, after), job.created_at)
            })
            .await?;
        self.clock_wake.notify_one();
        Ok(id)
    }

    /// Reads a job.
    pub async fn job(&self, id: JobId) -> Result<Job, Error> {
        self.db.read("workspace.job", move |tx| tables::job(tx, id)).await
    }

    /// Lists jobs, newest first.
    pub async fn jobs(&self, query: JobsQuery) -> Result<Page<Job>, Error> {
        let limit = limit_of(query.limit, JOBS_PAGE_MAX)?;
        let place = Place::parse(query.page_token.as_deref())?;
        let offset = query.offset.unwrap_or(0);
        let jobs = self
            .db
            .read("workspace.jobs", move |tx| {
                tables::jobs(tx, query.name.as_deref(), query.viewer.as_ref(), place, offset, limit + 1)
            })
            .await?;
        let place = if offset > 0 && place == Place::Start { Place::Within } else { place };
        Ok(page(jobs, limit, place, |job| Cursor { micros: job.created_at.as_micros(), id: job.id.0 }))
    }

    /// Changes fields of a job's settings, and removes some. Lists with keys
    /// (tasks, clusters, parameters) are merged by key.
    pub async fn update_job(
        &self,
        actor: &Actor,
        id: JobId,
        new_settings: Json,
        fields_to_remove: Vec<String>,
    ) -> Result<(), Error> {
        self.change_job("workspace.update_job", actor, id, move |before| {
            let mut document = before.document();
            settings::merge(&mut document, new_settings.clone(), &fields_to_remove)?;
            let had_queue = document.get("queue").is_some_and(Json::is_object);
            let after = JobSettings::read(document, ApiVersion::V2_2)?;
            // The default of a version is for new jobs, and an update makes none.
            Ok(JobSettings { queue: after.queue.filter(|_| had_queue), ..after })
        })
        .await
    }

    /// Replaces a job's settings.
    pub async fn reset_job(&self, actor: &Actor, id: JobId, settings: Json, version: ApiVersion) -> Result<(), Error> {
        let settings = JobSettings::read(settings, version)?;
        self.change_job("workspace.reset_job", actor, id, move |_| Ok(settings.clone())).await
    }

    async fn change_job(
        &self,
        name: &'static str,
        actor: &Actor,
        id: JobId,
        change: impl Fn(&JobSettings) -> Result<JobSettings, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write(name, move |tx| {
                let Job { settings: before, owner, .. } = tables::job(tx, id)?;
                let after = change(&before)?;
                let was = acting::Before { settings: &before, owner: owner.as_ref() };
                let owner = acting::of_changed(tx, &actor, &was, &after)?;
                if before.webhook_notifications != after.webhook_notifications {
                    destinations::check_named(tx, &after)?;
                }
                tables::set_settings(tx, id, &after, owner.as_ref())?;
                clockwork::set(tx, id, Some(&before), &after, now)?;
                let states = (Some(before.document()), Some(after.document()));
                note(tx, &actor, "update", "workspace-job", &id.to_string(), states, now)
            })
            .await?;
        self.clock_wake.notify_one();
        Ok(())
    }

    /// Removes a job. Its runs stay, and those that are open go on.
    pub async fn delete_job(&self, actor: &Actor, id: JobId) -> Result<(), Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.delete_job", move |tx| {
                let before = tables::job(tx, id)?.settings.document();
                tables::delete_job(tx, id)?;
                tables::forget_due(tx, id)?;
                note(tx, &actor, "delete", "workspace-job", &id.to_string(), (Some(before), None), now)
            })
            .await
    }
}
