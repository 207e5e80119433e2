//! Flows, what they connect to, and their runs.

use http::Method;

use crate::own::{
    AnyObject, CSV, YAML, connections, data_stores, documents, flow_imports, flow_secrets, flow_versions, flows, hooks,
    incomplete, mapping, modules, operations, outcomes, package_versions, pages, run_events, runs, stream, structures,
    tasks,
};
use crate::surface::Surface;

/// Adds its operations.
pub(in crate::own) fn routes(surface: Surface) -> Surface {
    surface
        .about("flows")
        .told(
            Method::GET,
            "/connections",
            connections::list,
            ("listConnections", "Lists the connections; no secret is shown."),
        )
        .gives_list::<connections::Connection>()
        .told(
            Method::PUT,
            "/connections/{name}",
            connections::put,
            ("putConnection", "Stores a connection; replaces one of the same name."),
        )
        .takes_form::<connections::NewConnection>()
        .gives_nothing()
        .told(
            Method::GET,
            "/connections/{name}",
            connections::show,
            ("showConnection", "Shows a connection without its secret, and the flows that name it."),
        )
        .gives::<connections::Shown>()
        .told(
            Method::DELETE,
            "/connections/{name}",
            connections::remove,
            ("removeConnection", "Removes a connection that no flow names."),
        )
        .gives_nothing()
        .told(
            Method::POST,
            "/connections/{name}/test",
            connections::test,
            ("testConnection", "Tries a connection by a call that does no harm, and says what came of it."),
        )
        .takes_form::<connections::Trial>()
        .gives::<::flows::Tested>()
        .told(
            Method::GET,
            "/connections/{name}/calls",
            connections::calls,
            (
                "listConnectionCalls",
                "Lists the calls to Databricks workspaces made with a connection, the newest first.",
            ),
        )
        .gives_list::<::flows::CallInfo>()
        .asks::<connections::WantedCalls>()
        .told(
            Method::GET,
            "/connections/{name}/databricks/jobs",
            connections::jobs,
            ("listDatabricksJobs", "Lists the jobs of a connection's workspace, for whoever picks one."),
        )
        .gives_list::<::flows::JobChoice>()
        .asks::<connections::WantedJobs>()
        .told(Method::GET, "/tasks", tasks::list, ("listTasks", "Lists what flows ask people, the newest first."))
        .gives_list::<::flows::TaskInfo>()
        .asks::<tasks::Wanted>()
        .told(Method::GET, "/tasks/{task}", tasks::show, ("showTask", "Shows a task; its link for who may answer it."))
        .gives::<tasks::Shown>()
        .told(
            Method::POST,
            "/tasks/{task}/answer",
            tasks::answer,
            ("answerTask", "Answers a task, once: its run goes on."),
        )
        .takes_form::<tasks::Answer>()
        .gives::<::flows::TaskInfo>()
        .told(Method::GET, "/data-structures", structures::list, ("listStructures", "Lists the data structures."))
        .gives_list::<structures::Shown>()
        .told(
            Method::GET,
            "/data-structures/{name}",
            structures::show,
            ("showStructure", "Shows a data structure with its fields."),
        )
        .gives::<structures::Shown>()
        .told(
            Method::PUT,
            "/data-structures/{name}",
            structures::put,
            ("putStructure", "Stores a data structure: its fields, or a sample of which they are learnt."),
        )
        .takes_form::<structures::NewStructure>()
        .gives::<structures::Shown>()
        .told(
            Method::DELETE,
            "/data-structures/{name}",
            structures::remove,
            ("removeStructure", "Removes a data structure; published flows keep theirs."),
        )
        .gives_nothing()
        .told(Method::GET, "/pages", pages::list, ("listPages", "Lists the pages, without their texts."))
        .gives_list::<pages::Outline>()
        .told(Method::GET, "/pages/{page}", pages::show, ("showPage", "Shows a page with its text."))
        .gives::<pages::Shown>()
        .told(
            Method::PUT,
            "/pages/{page}",
            pages::put,
            ("writePage", "Writes a page, whole; written again as it was, it stays the version that it is."),
        )
        .takes_form::<pages::NewPage>()
        .gives::<pages::Shown>()
        .told(Method::DELETE, "/pages/{page}", pages::remove, ("removePage", "Removes a page."))
        .gives_nothing()
        .told(Method::GET, "/data-stores", data_stores::list, ("listDataStores", "Lists the data stores."))
        .gives_list::<data_stores::Store>()
        .told(Method::GET, "/data-stores/{name}", data_stores::show, ("showDataStore", "Shows a data store."))
        .gives::<data_stores::Store>()
        .told(
            Method::PUT,
            "/data-stores/{name}",
            data_stores::put,
            ("putDataStore", "Makes a data store, or sets what there is of one; its records stay."),
        )
        .takes_form::<data_stores::NewStore>()
        .gives::<data_stores::Store>()
        .told(
            Method::DELETE,
            "/data-stores/{name}",
            data_stores::remove,
            ("removeDataStore", "Removes a data store with all its records."),
        )
        .gives_nothing()
        .told(
            Method::POST,
            "/data-stores/{name}/rename",
            data_stores::rename,
            ("renameDataStore", "Calls a data store otherwise; flows that name it must be changed too."),
        )
        .takes_form::<data_stores::Renamed>()
        .gives_nothing()
        .told(
            Method::GET,
            "/data-stores/{name}/records",
            data_stores::records,
            (
                "listStoreRecords",
                "Lists records of a data store in the order of their keys, page by page: `after` a key.",
            ),
        )
        .gives::<data_stores::Page>()
        .asks::<data_stores::Wanted>()
        .told(
            Method::DELETE,
            "/data-stores/{name}/records",
            data_stores::clear,
            ("clearDataStore", "Removes all records of a data store, which itself stays."),
        )
        .gives_nothing()
        .told(
            Method::GET,
            "/data-stores/{name}/records/{key}",
            data_stores::record,
            ("showStoreRecord", "Shows a record of a data store."),
        )
        .gives::<data_stores::Kept>()
        .told(
            Method::PUT,
            "/data-stores/{name}/records/{key}",
            data_stores::put_record,
            ("putStoreRecord", "Puts a record in the place of one of the same key, or adds it."),
        )
        .takes_form::<AnyObject>()
        .gives::<data_stores::Kept>()
        .told(
            Method::DELETE,
            "/data-stores/{name}/records/{key}",
            data_stores::remove_record,
            ("removeStoreRecord", "Removes a record of a data store."),
        )
        .gives_nothing()
        .told(
            Method::GET,
            "/flow-imports",
            flow_imports::list,
            ("listFlowImports", "Lists what the numbers in flows that were drawn elsewhere stand for."),
        )
        .gives::<AnyObject>()
        .told(
            Method::POST,
            "/flow-imports",
            package_versions::import,
            (
                "importFlows",
                "Stores the flows of an upload as drafts: a blueprint in any container, or a package's archive.",
            ),
        )
        .gives::<package_versions::Imported>()
        .asks::<package_versions::Upload>()
        .takes("application/octet-stream")
        .told(
            Method::PUT,
            "/flow-imports/{imported}",
            flow_imports::map,
            (
                "mapFlowImport",
                "Says what `connection:12`, `key:34`, `hook:77` or `datastore:5` stands for: the name of one of ours.",
            ),
        )
        .takes_form::<flow_imports::Mapping>()
        .gives_nothing()
        .told(Method::GET, "/hooks", hooks::list, ("listHooks", "Lists the webhooks, without their addresses."))
        .gives_list::<hooks::Hook>()
        .told(
            Method::GET,
            "/hooks/{hook}",
            hooks::show,
            ("showHook", "Shows a webhook; its address is there for those who may change flows."),
        )
        .gives::<hooks::Hook>()
        .told(
            Method::PUT,
            "/hooks/{hook}",
            hooks::put,
            ("putHook", "Makes a webhook, or sets the one of this name anew."),
        )
        .takes_form::<hooks::NewHook>()
        .gives::<hooks::Hook>()
        .told(
            Method::DELETE,
            "/hooks/{hook}",
            hooks::remove,
            ("removeHook", "Removes a webhook with everything that waits on it."),
        )
        .gives_nothing()
        .told(
            Method::POST,
            "/hooks/{hook}/renew",
            hooks::renew,
            ("renewHook", "Gives a webhook another address; the old one is forgotten at once."),
        )
        .gives::<hooks::Hook>()
        .told(
            Method::POST,
            "/hooks/{hook}/listen",
            hooks::listen,
            ("listenOnHook", "Lets the next request to a webhook tell what its data is made of."),
        )
        .gives::<hooks::Hook>()
        .told(
            Method::DELETE,
            "/hooks/{hook}/listen",
            hooks::stop_listening,
            ("stopListeningOnHook", "Stops listening for a request that tells what the data is made of."),
        )
        .gives::<hooks::Hook>()
        .told(Method::GET, "/flows", flows::list, ("listFlows", "Lists the flows."))
        .gives_list::<flows::Flow>()
        .told(Method::GET, "/flows/{flow}", flows::show, ("showFlow", "Shows a flow with its texts."))
        .gives::<flows::FlowWithTexts>()
        .told(
            Method::PUT,
            "/flows/{flow}",
            flows::put,
            ("putFlow", "Stores the draft of a flow; the body is its text, YAML or a blueprint."),
        )
        .gives::<flows::Told>()
        .takes(YAML)
        .told(
            Method::POST,
            "/flows/{flow}/publish",
            flows::publish,
            ("publishFlow", "Makes the draft the version that runs."),
        )
        .takes_form::<flow_versions::Remarks>()
        .gives::<flows::Published>()
        .told(
            Method::GET,
            "/flows/{flow}/outcomes",
            outcomes::of_flow,
            (
                "showFlowOutcomes",
                "Tells what became of the instances whose signals start a flow, compared with the time before it.",
            ),
        )
        .asks::<outcomes::Asked>()
        .gives::<outcomes::OfFlow>()
        .told(
            Method::GET,
            "/flow-templates",
            flow_versions::templates,
            ("listFlowTemplates", "Lists templates of flows, each with the form of what is to be filled in."),
        )
        .gives_list::<flow_versions::TemplateShown>()
        .told(
            Method::POST,
            "/flow-templates/{template}",
            flow_versions::from_template,
            ("makeFlowOfTemplate", "Makes a draft of a template."),
        )
        .takes_form::<flow_versions::FromTemplate>()
        .gives::<flow_versions::Made>()
        .told(
            Method::GET,
            "/flows/{flow}/versions",
            flow_versions::list,
            ("listFlowVersions", "Lists the publications of a flow, the latest first."),
        )
        .gives_list::<::flows::FlowVersion>()
        .told(
            Method::POST,
            "/flows/{flow}/versions/{version}/publish",
            flow_versions::roll_back,
            ("rollBackFlow", "Publishes the text of an older version again, as a new one."),
        )
        .takes_form::<flow_versions::Remarks>()
        .gives::<flow_versions::RolledBack>()
        .told(
            Method::GET,
            "/flows/{flow}/versions/{version}/diff/{other}",
            flow_versions::difference,
            (
                "compareFlowVersions",
                "Tells what two versions differ in, module by module; also `draft` and `published`.",
            ),
        )
        .gives::<flow_versions::Difference>()
        .told(
            Method::GET,
            "/modules",
            modules::list,
            ("listModules", "Lists the kinds of modules, with the forms of their settings."),
        )
        .gives_list::<modules::Shown>()
        .told(
            Method::GET,
            "/modules/{module}/page",
            modules::page,
            ("showModulePage", "Shows the page of the reference about a module."),
        )
        .gives_text("text/markdown")
        .told(
            Method::GET,
            "/functions",
            mapping::functions,
            (
                "showMappingLanguage",
                "Tells what the mapping language offers: functions, names, operators, and those of filters.",
            ),
        )
        .gives::<mapping::Language>()
        .told(
            Method::POST,
            "/mapping/evaluate",
            mapping::evaluate,
            ("evaluateMapping", "Tries a template with bundles: its value, or what is wrong with it and where."),
        )
        .takes_form::<mapping::Attempt>()
        .gives::<mapping::Answer>()
        .told(
            Method::POST,
            "/mapping/judge",
            mapping::judge,
            ("judgeConditions", "Tries the conditions of a filter with bundles: whether they let them pass, and why."),
        )
        .takes_form::<mapping::Asked>()
        .gives::<mapping::Judged>()
        .told(
            Method::GET,
            "/stream",
            stream::listen,
            ("listen", "Tells what happens as it happens, by server-sent events."),
        )
        .asks::<stream::Wanted>()
        .gives_text("text/event-stream")
        .told(
            Method::GET,
            "/flows/{flow}/document",
            documents::show,
            ("showFlowDocument", "Shows a text of a flow as a document, with the revision that it bears."),
        )
        .asks::<documents::Wanted>()
        .gives::<documents::Shown>()
        .told(
            Method::PUT,
            "/flows/{flow}/document",
            documents::put,
            (
                "putFlowDocument",
                "Stores a document as the draft, over the draft that If-Match names; 409 if that is no longer it.",
            ),
        )
        .takes_form::<AnyObject>()
        .gives::<documents::Stored>()
        .told(
            Method::GET,
            "/flows/{flow}/samples",
            documents::samples,
            ("showFlowSamples", "Shows what each module of a flow last gave."),
        )
        .gives::<documents::Samples>()
        .told(
            Method::GET,
            "/flows/{flow}/blueprint",
            flow_versions::blueprint,
            ("exportFlow", "Hands a flow on as a blueprint, or in YAML; it imports back to the same flow."),
        )
        .gives::<AnyObject>()
        .asks::<flow_versions::Wanted>()
        .told(
            Method::GET,
            "/flows/{flow}/secrets",
            flow_secrets::list,
            (
                "listFlowSecrets",
                "Finds secrets that stand in the text of a draft; of each its first letters are shown.",
            ),
        )
        .gives_list::<::flows::literal::Literal>()
        .told(
            Method::POST,
            "/flows/{flow}/secrets",
            flow_secrets::move_out,
            ("moveFlowSecrets", "Moves the secrets that stand in the text of a draft into connections."),
        )
        .takes_form::<flow_secrets::Target>()
        .gives::<::flows::MovedSecrets>()
        .told(
            Method::GET,
            "/variables/{scope}",
            flow_secrets::shared,
            ("showSharedVariables", "Shows the variables of the `team` or the `organization`."),
        )
        .gives::<AnyObject>()
        .told(
            Method::PUT,
            "/variables/{scope}",
            flow_secrets::set_shared,
            ("setSharedVariables", "Sets the variables of the `team` or the `organization`."),
        )
        .takes_form::<AnyObject>()
        .gives_nothing()
        .told(
            Method::POST,
            "/flows/{flow}/activate",
            flows::activate,
            ("activateFlow", "Switches schedule or hook on; names modules that are not known here."),
        )
        .gives::<flows::Told>()
        .told(
            Method::POST,
            "/flows/{flow}/deactivate",
            flows::deactivate,
            ("deactivateFlow", "Switches schedule or hook off."),
        )
        .gives_nothing()
        .told(
            Method::GET,
            "/flows/{flow}/form",
            runs::form,
            ("showFlowForm", "Shows the form of a flow's inputs, as JSON Schema."),
        )
        .gives::<runs::JsonSchema>()
        .asks::<runs::Meant>()
        .told(
            Method::POST,
            "/flows/{flow}/run",
            runs::start,
            ("runFlow", "Starts one run; the body is what was filled into the form of the flow's inputs."),
        )
        .takes_form::<AnyObject>()
        .gives::<runs::Started>()
        .asks::<runs::MeantWith>()
        .told(
            Method::POST,
            "/flows/{flow}/modules/{module}/run",
            runs::run_module,
            ("runFlowModule", "Runs one module alone, with its fields typed in or with bundles of those before it."),
        )
        .takes_form::<runs::Given>()
        .gives::<runs::Started>()
        .asks::<runs::Meant>()
        .told(
            Method::POST,
            "/flows/{flow}/test",
            runs::test,
            ("testFlow", "Plays the cases that stand in a flow's draft, without touching anything outside."),
        )
        .gives::<::flows::cases::Report>()
        .asks::<runs::Meant>()
        .told(Method::GET, "/flows/{flow}/runs", runs::of_flow, ("listFlowRuns", "Lists runs of a flow, newest first."))
        .gives_list::<flows::Run>()
        .asks::<runs::Wanted>()
        .told(
            Method::GET,
            "/flows/{flow}/incomplete",
            incomplete::list,
            ("listIncompleteExecutions", "Lists the incomplete executions of a flow, newest first."),
        )
        .gives_list::<incomplete::Incomplete>()
        .asks::<incomplete::Wanted>()
        .told(
            Method::GET,
            "/flows/{flow}/incomplete/{id}",
            incomplete::show,
            ("showIncompleteExecution", "Shows an incomplete execution with its bundles by module."),
        )
        .gives::<incomplete::IncompleteWithBundles>()
        .told(
            Method::POST,
            "/flows/{flow}/incomplete/retry",
            incomplete::retry_many,
            (
                "retryIncompleteExecutions",
                "Lets many incomplete executions go on now: the named ones, or all open ones.",
            ),
        )
        .takes_form::<incomplete::RetriedMany>()
        .gives::<incomplete::ManyRetried>()
        .told(
            Method::POST,
            "/flows/{flow}/incomplete/{id}/retry",
            incomplete::retry,
            ("retryIncompleteExecution", "Lets an incomplete execution go on now, with a version if one is named."),
        )
        .takes_form::<incomplete::Retried>()
        .gives::<runs::Started>()
        .told(
            Method::POST,
            "/flows/{flow}/incomplete/{id}/resolve",
            incomplete::resolve,
            ("resolveIncompleteExecution", "Says that an incomplete execution is done."),
        )
        .gives_nothing()
        .told(
            Method::DELETE,
            "/flows/{flow}/incomplete/{id}",
            incomplete::remove,
            ("removeIncompleteExecution", "Deletes an incomplete execution with its data."),
        )
        .gives_nothing()
        .told(
            Method::PUT,
            "/flows/{flow}/variables",
            flows::set_variables,
            ("setFlowVariables", "Sets values of the flow's variables."),
        )
        .takes_form::<AnyObject>()
        .gives_nothing()
        .told(Method::GET, "/runs", runs::find, ("findFlowRuns", "Finds runs of flows, newest first, page by page."))
        .asks::<runs::Wanted>()
        .gives::<runs::Found>()
        .told(Method::GET, "/runs/{run}", flows::run, ("showFlowRun", "Shows a run with its operations."))
        .asks::<flows::Extent>()
        .gives::<flows::RunWithOperations>()
        .told(
            Method::GET,
            "/runs/{run}/operations",
            operations::list,
            ("listOperations", "Lists the operations of a run in their order, page by page."),
        )
        .asks::<operations::Wanted>()
        .gives::<operations::Page>()
        .told(
            Method::GET,
            "/runs/{run}/operations/{number}",
            operations::show,
            ("showOperation", "Shows an operation of a run."),
        )
        .gives::<flows::Step>()
        .told(
            Method::POST,
            "/runs/{run}/cancel",
            runs::cancel,
            ("cancelFlowRun", "Ends a run that has not ended; what is in flight cannot be called back."),
        )
        .gives_nothing()
        .told(
            Method::POST,
            "/runs/{run}/replay",
            runs::replay,
            ("replayFlowRun", "Runs again what an earlier run did, from its start or from an operation on."),
        )
        .takes_form::<runs::AgainBody>()
        .gives::<runs::Started>()
        .told(
            Method::POST,
            "/runs/replay",
            runs::replay_many,
            ("replayFlowRuns", "Runs again what many earlier runs did: the named ones, or those that are found."),
        )
        .takes_form::<runs::ManyAgain>()
        .gives::<runs::ManyStarted>()
        .told(
            Method::POST,
            "/runs/{run}/decide",
            flows::decide,
            ("decideFlowRun", "Takes a person's decision about a run that is in doubt or parked."),
        )
        .takes_form::<flows::Decided>()
        .gives_nothing()
        .told(
            Method::GET,
            "/flows/events.csv",
            run_events::of_flows,
            ("exportFlowRuns", "Exports the runs of flows as an event log."),
        )
        .asks::<run_events::Asked>()
        .gives_text(CSV)
        .told(
            Method::GET,
            "/jobs/events.csv",
            run_events::of_jobs,
            ("exportJobRuns", "Exports the runs of jobs as an event log."),
        )
        .asks::<run_events::Asked>()
        .gives_text(CSV)
}
