//! Who may do what with a job.
//!
//! A job has an *owner*, who made it, and a list of *rules* that give others a
//! level. The levels are ordered: whoever may manage may also look. A run
//! takes its job's rules; a run that was submitted has its own. Rules outlive
//! the job, because its runs do.
//!
//! The question is asked before the object is looked for, so that a stranger
//! gets the same answer whether a job exists or not.

use base::Actor;
use base::actor::ActorKind;
use base::db::Tx;
use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::workspace::{Workspace, note};
use crate::{JobId, RunId, tables};

/// The group that everybody belongs to.
const EVERYBODY: &str = "users";
/// The group of the administrators.
const ADMINISTRATORS: &str = "admins";

/// What somebody may do with a job; each level holds those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Look at it and at its runs.
    View,
    /// Start, stop and repair its runs.
    ManageRun,
    /// Change and delete it, and say who may do what.
    Manage,
    /// The same; there is exactly one owner.
    Owner,
}

impl Level {
    /// All of them, in order.
    pub const ALL: [Level; 4] = [Level::View, Level::ManageRun, Level::Manage, Level::Owner];

    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::View => "CAN_VIEW",
            Level::ManageRun => "CAN_MANAGE_RUN",
            Level::Manage => "CAN_MANAGE",
            Level::Owner => "IS_OWNER",
        }
    }

    /// Reads the word of the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }

    /// Tells people what it allows.
    pub fn description(self) -> &'static str {
        match self {
            Level::View => "Can view the job and its runs",
            Level::ManageRun => "Can view, run, cancel and repair runs",
            Level::Manage => "Can change and delete the job, and its permissions",
            Level::Owner => "Is owner",
        }
    }
}

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person, by name or id.
    User(String),
    /// A program, by application id.
    ServicePrincipal(String),
    /// `users` (everybody) or `admins`.
    Group(String),
}

impl Principal {
    /// Names an actor as rules do.
    pub fn of(actor: &Actor) -> Self {
        match actor.kind {
            ActorKind::ServicePrincipal => Principal::ServicePrincipal(actor.name.clone()),
            ActorKind::User | ActorKind::AppKey | ActorKind::System => Principal::User(actor.name.clone()),
        }
    }

    /// Returns the field of the API in which the name stands.
    pub fn field(&self) -> &'static str {
        match self {
            Principal::User(_) => "user_name",
            Principal::ServicePrincipal(_) => "service_principal_name",
            Principal::Group(_) => "group_name",
        }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        match self {
            Principal::User(name) | Principal::ServicePrincipal(name) | Principal::Group(name) => name,
        }
    }

    /// Tells whether a name is that of an actor, or of a group that it is in.
    pub(crate) fn is(&self, actor: &Actor) -> bool {
        match self {
            Principal::User(name) => {
                actor.kind != ActorKind::ServicePrincipal && (*name == actor.name || *name == actor.id)
            }
            Principal::ServicePrincipal(name) => actor.kind == ActorKind::ServicePrincipal && *name == actor.name,
            Principal::Group(name) => name == EVERYBODY || (name == ADMINISTRATORS && actor.administrator),
        }
    }

    /// Refuses a group that there is not.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Principal::Group(name) if name != EVERYBODY && name != ADMINISTRATORS => Err(Error::Parameter {
                detail: format!("there is no group \"{name}\": there are \"{EVERYBODY}\" and \"{ADMINISTRATORS}\""),
            }),
            _ => Ok(()),
        }
    }

    pub(crate) fn sort(&self) -> &'static str {
        match self {
            Principal::User(_) => "user",
            Principal::ServicePrincipal(_) => "service-principal",
            Principal::Group(_) => "group",
        }
    }

    pub(crate) fn stored(sort: &str, name: String) -> Option<Self> {
        Some(match sort {
            "user" => Principal::User(name),
            "service-principal" => Principal::ServicePrincipal(name),
            "group" => Principal::Group(name),
            _ => return None,
        })
    }
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Who.
    pub principal: Principal,
    /// The actor's stable id, where the rule was made for one and not for a name.
    pub subject: Option<String>,
    /// What.
    pub level: Level,
}

impl Rule {
    /// Makes the rule that a maker is the owner.
    pub(crate) fn owner(actor: &Actor) -> Self {
        Rule { principal: Principal::of(actor), subject: Some(actor.id.clone()), level: Level::Owner }
    }

    /// Reads an `access_control_list`.
    pub fn read_list(list: &Json) -> Result<Vec<Self>, Error> {
        let entries = entries_of(list, &Level::ALL.map(|level| (level.as_str(), level)))?;
        Ok(entries.into_iter().map(|(principal, level)| Rule { principal, subject: None, level }).collect())
    }

    fn is_about(&self, actor: &Actor) -> bool {
        if let Some(subject) = &self.subject {
            return *subject == actor.id;
        }
        self.principal.is(actor)
    }
}

/// Reads an `access_control_list` whose levels have these words.
pub(crate) fn entries_of<L: Copy>(list: &Json, levels: &[(&'static str, L)]) -> Result<Vec<(Principal, L)>, Error> {
    let refuse = |detail: String| Error::Parameter { detail };
    let entries = match list {
        Json::Null => return Ok(Vec::new()),
        Json::Array(entries) => entries,
        _ => return Err(refuse("\"access_control_list\" must be a list".into())),
    };
    entries
        .iter()
        .map(|entry| {
            let text = |field: &str| entry.get(field).and_then(Json::as_str).filter(|text| !text.is_empty());
            let principals = [
                text("user_name").map(|name| Principal::User(name.to_owned())),
                text("service_principal_name").map(|name| Principal::ServicePrincipal(name.to_owned())),
                text("group_name").map(|name| Principal::Group(name.to_owned())),
            ];
            let mut principals = principals.into_iter().flatten();
            let (Some(principal), None) = (principals.next(), principals.next()) else {
                let fields = "\"user_name\", \"service_principal_name\" and \"group_name\"";
                return Err(refuse(format!("each entry of \"access_control_list\" has exactly one of {fields}")));
            };
            let word = text("permission_level").unwrap_or_default();
            let level = levels.iter().find(|(known, _)| *known == word).map(|(_, level)| *level);
            let level = level.ok_or_else(|| {
                let words: Vec<&str> = levels.iter().map(|(word, _)| *word).collect();
                refuse(format!("permission_level \"{word}\" is none of {}", words.join(", ")))
            })?;
            Ok((principal, level))
        })
        .collect()
}

/// Returns the highest level that an actor has by some rules.
pub(crate) fn level_of(actor: &Actor, rules: &[Rule]) -> Option<Level> {
    rules.iter().filter(|rule| rule.is_about(actor)).map(|rule| rule.level).max()
}

/// Returns the rules after a change. There is always exactly one owner: who
/// names none keeps the one there was, and only an administrator names another.
fn changed(actor: &Actor, before: &[Rule], wanted: Vec<Rule>, replaces: bool) -> Result<Vec<Rule>, Error> {
    let refuse = |detail: &str| Err(Error::Parameter { detail: detail.into() });
    let mut after: Vec<Rule> = if replaces { Vec::new() } else { before.to_vec() };
    for rule in wanted {
        rule.principal.check()?;
        if matches!(rule.principal, Principal::Group(_)) && rule.level == Level::Owner {
            return refuse("a group cannot be the owner of a job");
        }
        after.retain(|other| other.principal != rule.principal);
        if rule.level == Level::Owner {
            after.retain(|other| other.level != Level::Owner);
        }
        // A rule that says again who the owner is does not lose the owner's id.
        let known = before.iter().find(|other| other.principal == rule.principal && other.level == rule.level);
        after.push(known.cloned().unwrap_or(rule));
    }
    let owner_before = before.iter().find(|rule| rule.level == Level::Owner);
    match (after.iter().find(|rule| rule.level == Level::Owner), owner_before) {
        (None, Some(owner)) => {
            if after.iter().any(|rule| rule.principal == owner.principal) {
                return refuse("the owner of a job keeps it until an administrator names another one");
            }
            after.push(owner.clone());
        }
        (Some(owner), Some(before)) if owner != before && !actor.administrator => {
            return refuse("only an administrator can make somebody else the owner");
        }
        _ => {}
    }
    Ok(after)
}

/// Takes the `access_control_list` out of a document: it is no setting.
pub(crate) fn taken_from(document: &mut Json) -> Result<Vec<Rule>, Error> {
    let list = document.as_object_mut().and_then(|fields| fields.remove("access_control_list"));
    list.as_ref().map_or(Ok(Vec::new()), Rule::read_list)
}

/// Writes down the rules that a new object begins with.
pub(crate) fn begin(tx: &mut dyn Tx, actor: &Actor, object: i64, wanted: Vec<Rule>) -> Result<(), Error> {
    let owner = [Rule::owner(actor)];
    let rules = changed(actor, &owner, wanted, false)?;
    tables::set_rules(tx, object, &rules)
}

/// Demands a level on a job of whoever stands behind a task, in a transaction.
pub(crate) fn demand(tx: &mut dyn Tx, actor: &Actor, job: JobId, level: Level) -> Result<(), Error> {
    if actor.administrator || level_of(actor, &tables::rules(tx, job.0)?).is_some_and(|has| has >= level) {
        return Ok(());
    }
    Err(Error::Denied { user: actor.name.clone(), level: level.as_str(), object: "job", number: job.0 })
}

impl Workspace {
    /// Demands a level on a job. Administrators have all; whoever else lacks it
    /// is refused whether the job exists or not.
    pub async fn require_job(&self, actor: &Actor, job: JobId, level: Level) -> Result<(), Error> {
        self.require(actor, "job", job.0, job.0, level).await
    }

    /// Demands a level on the job of a run, or on a submitted run itself; the
    /// number of a task run is fine too.
    pub async fn require_run(&self, actor: &Actor, run: RunId, level: Level) -> Result<(), Error> {
        if actor.administrator {
            return Ok(());
        }
        let object = self.db.read("workspace.object_of_run", move |tx| tables::object_of_run(tx, run)).await?;
        self.require(actor, "run", object.unwrap_or_default(), run.0, level).await
    }

    async fn require(
        &self,
        actor: &Actor,
        object: &'static str,
        number: i64,
        asked: i64,
        level: Level,
    ) -> Result<(), Error> {
        if actor.administrator {
            return Ok(());
        }
        let rules = self.db.read("workspace.rules", move |tx| tables::rules(tx, number)).await?;
        if level_of(actor, &rules).is_some_and(|has| has >= level) {
            return Ok(());
        }
        Err(Error::Denied { user: actor.name.clone(), level: level.as_str(), object, number: asked })
    }

    /// Lists who may do what with a job. Whoever asks needs [`Level::View`].
    pub async fn job_rules(&self, actor: &Actor, job: JobId) -> Result<Vec<Rule>, Error> {
        self.require_job(actor, job, Level::View).await?;
        self.db
            .read("workspace.job_rules", move |tx| {
                tables::job(tx, job)?;
                tables::rules(tx, job.0)
            })
            .await
    }

    /// Says who may do what with a job: all of it, or some rules more. Whoever
    /// asks needs [`Level::Manage`].
    pub async fn set_job_rules(
        &self,
        actor: &Actor,
        job: JobId,
        wanted: Vec<Rule>,
        replaces: bool,
    ) -> Result<Vec<Rule>, Error> {
        self.require_job(actor, job, Level::Manage).await?;
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.set_job_rules", move |tx| {
                tables::job(tx, job)?;
                let before = tables::rules(tx, job.0)?;
                let after = changed(&actor, &before, wanted.clone(), replaces)?;
                tables::set_rules(tx, job.0, &after)?;
                let states = (Some(shown(&before)), Some(shown(&after)));
                note(tx, &actor, "permit", "workspace-job", &job.to_string(), states, now)?;
                Ok(after)
            })
            .await
    }
}

/// What the audit trail says of rules.
fn shown(rules: &[Rule]) -> Json {
    rules
        .iter()
        .map(|rule| json!({ rule.principal.field(): rule.principal.name(), "level": rule.level.as_str() }))
        .collect()
}

#[cfg(test)]
mod tests {
    use base::Causes;

    use super::*;

    fn actor(name: &str, administrator: bool) -> Actor {
        let kind = ActorKind::User;
        Actor { id: format!("u-{name}"), name: name.into(), kind, administrator, causes: Causes::NONE }
    }

    fn rule(principal: Principal, level: Level) -> Rule {
        Rule { principal, subject: None, level }
    }

    #[test]
    fn the_highest_rule_about_somebody_counts() {
        let rules = [
            Rule::owner(&actor("ada", false)),
            rule(Principal::User("ben".into()), Level::View),
            rule(Principal::User("u-ben".into()), Level::ManageRun),
            rule(Principal::ServicePrincipal("cleo".into()), Level::Manage),
        ];
        for (name, expected) in [("ada", Some(Level::Owner)), ("ben", Some(Level::ManageRun)), ("cleo", None)] {
            assert_eq!(level_of(&actor(name, false), &rules), expected, "{name}");
        }
        // Who took the name of the owner is not the owner.
        let impostor = Actor { id: "u-2".into(), ..actor("ada", false) };
        assert_eq!(level_of(&impostor, &rules), None);
        let all = [rule(Principal::Group("users".into()), Level::View)];
        assert_eq!(level_of(&impostor, &all), Some(Level::View));
    }

    #[test]
    fn there_is_always_one_owner() {
        let (ada, root) = (actor("ada", false), actor("root", true));
        let before = [Rule::owner(&ada)];
        let ben = rule(Principal::User("ben".into()), Level::Owner);
        let cleo = rule(Principal::User("cleo".into()), Level::View);
        let names = |rules: Result<Vec<Rule>, Error>| match rules {
            Ok(rules) => {
                let words = rules.iter().map(|rule| format!("{} {}", rule.principal.name(), rule.level.as_str()));
                words.collect::<Vec<_>>().join(", ")
            }
            Err(error) => error.to_string(),
        };
        let check = |who: &Actor, wanted: &[&Rule], replaces, expected: &str| {
            let wanted = wanted.iter().map(|rule| (*rule).clone()).collect();
            assert_eq!(names(changed(who, &before, wanted, replaces)), expected);
        };
        check(&ada, &[&cleo], true, "cleo CAN_VIEW, ada IS_OWNER");
        check(&ada, &[&cleo], false, "ada IS_OWNER, cleo CAN_VIEW");
        check(&ada, &[&ben], true, "only an administrator can make somebody else the owner");
        check(&root, &[&ben, &cleo], true, "ben IS_OWNER, cleo CAN_VIEW");
        let group = rule(Principal::Group("users".into()), Level::Owner);
        check(&root, &[&group], true, "a group cannot be the owner of a job");
        let demoted = rule(Principal::User("ada".into()), Level::View);
        check(&ada, &[&demoted], true, "the owner of a job keeps it until an administrator names another one");
    }
}
