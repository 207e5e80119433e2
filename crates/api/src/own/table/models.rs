//! Knowledge models, their triggers, and what the process looks like.

use http::Method;

use crate::fault::Mistake;
use crate::own::{
    YAML, backtests, explore, explored, flow_versions, held, models, outcomes, package_versions, packages, versions,
    why,
};
use crate::surface::Surface;

/// Adds its operations.
pub(in crate::own) fn routes(surface: Surface) -> Surface {
    surface
        .about("knowledge models")
        .told(Method::GET, "/packages", packages::list, ("listPackages", "Lists the packages that the caller may use."))
        .gives_list::<packages::PackageShown>()
        .told(Method::GET, "/packages/{package}", packages::show, ("showPackage", "Shows a package."))
        .gives::<packages::PackageShown>()
        .told(
            Method::PUT,
            "/packages/{package}",
            packages::put,
            ("putPackage", "Makes a package, or gives it another name."),
        )
        .takes_form::<packages::NewPackage>()
        .gives::<packages::PackageShown>()
        .told(
            Method::GET,
            "/packages/{package}/contents",
            package_versions::contents,
            ("listPackageContents", "Lists the knowledge models and flows of a package."),
        )
        .gives_list::<package_versions::Content>()
        .told(
            Method::PUT,
            "/packages/{package}/flows/{flow}",
            package_versions::put_flow,
            ("putFlowInPackage", "Puts a flow into a package."),
        )
        .gives_nothing()
        .told(
            Method::DELETE,
            "/packages/{package}/flows/{flow}",
            package_versions::remove_flow,
            ("removeFlowFromPackage", "Takes a flow out of a package; it stays as it is."),
        )
        .gives_nothing()
        .told(
            Method::POST,
            "/packages/{package}/publish",
            package_versions::publish,
            ("publishPackage", "Publishes all drafts of a package, or none."),
        )
        .takes_form::<flow_versions::Remarks>()
        .gives::<::flows::package::PackageVersion>()
        .told(
            Method::POST,
            "/packages/{package}/activate",
            package_versions::activate,
            ("activatePackage", "Switches schedules and hooks of all flows of a package on."),
        )
        .gives::<package_versions::Activated>()
        .told(
            Method::GET,
            "/packages/{package}/versions",
            package_versions::list,
            ("listPackageVersions", "Lists the versions of a package, the latest first."),
        )
        .gives_list::<::flows::package::PackageVersion>()
        .told(
            Method::POST,
            "/packages/{package}/versions/{version}/publish",
            package_versions::roll_back,
            ("rollBackPackage", "Publishes an older version of a package again, as a new one."),
        )
        .takes_form::<flow_versions::Remarks>()
        .gives::<::flows::package::PackageVersion>()
        .told(
            Method::GET,
            "/packages/{package}/versions/{version}/diff/{other}",
            package_versions::difference,
            ("comparePackageVersions", "Tells what two versions of a package differ in; also `draft` and `published`."),
        )
        .gives::<package_versions::Difference>()
        .told(
            Method::GET,
            "/models",
            models::list,
            ("listModels", "Lists the knowledge models of the packages that the caller may use."),
        )
        .gives_list::<models::Model>()
        .told(Method::GET, "/models/{model}", models::show, ("showModel", "Shows a knowledge model with its texts."))
        .gives::<models::ModelDetails>()
        .told(Method::PUT, "/models/{model}", models::put, ("putModel", "Stores the draft of a knowledge model."))
        .takes(YAML)
        .gives::<models::Model>()
        .told(
            Method::POST,
            "/models/{model}/check",
            models::check,
            ("checkModel", "Checks the draft as publishing it would, and changes nothing."),
        )
        .gives::<models::Findings>()
        .told(
            Method::GET,
            "/models/{model}/preview",
            models::preview,
            ("previewModel", "Tells what publishing the draft would do to the matched sets, without doing it."),
        )
        .gives_list::<models::Preview>()
        .told(Method::POST, "/models/{model}/publish", models::publish, ("publishModel", "Publishes the draft."))
        .gives::<models::Published>()
        .told(
            Method::GET,
            "/models/{model}/notices",
            models::notices,
            (
                "listModelNotices",
                "Lists what the published text says without effect, and the names in it that no event bears.",
            ),
        )
        .gives_list::<Mistake>()
        .told(
            Method::GET,
            "/models/{model}/state",
            models::state,
            (
                "showModelState",
                "Tells how a model and its triggers stand: evaluated up to where, what comes next, what is held.",
            ),
        )
        .gives::<models::Standing>()
        .told(
            Method::GET,
            "/models/{model}/versions",
            versions::list,
            ("listModelVersions", "Lists the publications, the latest first."),
        )
        .gives_list::<versions::Version>()
        .told(
            Method::GET,
            "/models/{model}/versions/{version}",
            versions::show,
            ("showModelVersion", "Returns a text: of a version by its number, the `draft`, or what is `published`."),
        )
        .gives::<versions::VersionShown>()
        .told(
            Method::POST,
            "/models/{model}/versions/{version}/publish",
            versions::roll_back,
            ("rollBackModel", "Publishes the text of an older version again; the draft stays as it is."),
        )
        .gives::<models::Published>()
        .told(
            Method::GET,
            "/models/{model}/versions/{version}/diff/{other}",
            versions::difference,
            ("compareModelVersions", "Compares two texts of a model, object by object and line by line."),
        )
        .gives::<versions::Difference>()
        .told(
            Method::POST,
            "/models/{model}/query",
            models::query,
            ("queryModel", "Answers a question in PQL, with notes about what is strange in it."),
        )
        .takes_form::<models::Question>()
        .gives::<models::Answer>()
        .told(Method::GET, "/models/{model}/clock", models::clock, ("showModelClock", "Shows the process clock."))
        .gives::<models::Clock>()
        .told(
            Method::POST,
            "/models/{model}/clock",
            models::set_clock,
            (
                "setModelClock",
                "Sets the process clock; every instant up to the new time is evaluated before the answer.",
            ),
        )
        .takes_form::<models::Clock>()
        .gives::<models::Clock>()
        .about("model triggers")
        .told(
            Method::GET,
            "/models/{model}/triggers",
            models::triggers,
            (
                "listModelTriggers",
                "Lists the triggers of the published version: class, cost, cadence, and how much there is.",
            ),
        )
        .gives_list::<models::Trigger>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}",
            models::trigger,
            ("showModelTrigger", "Tells how a trigger stands."),
        )
        .gives::<models::TriggerState>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}/matched",
            models::matched,
            ("listMatched", "Lists the record instances that satisfy a trigger now."),
        )
        .gives_list::<models::MatchedInstance>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}/held",
            held::list,
            ("listHeld", "Lists the signals that a cap holds back, the next one first."),
        )
        .asks::<held::Asked>()
        .gives::<held::HeldPage>()
        .told(
            Method::POST,
            "/models/{model}/triggers/{trigger}/held/release",
            held::release,
            ("releaseHeld", "Sends signals that a cap holds back, whatever the cap says."),
        )
        .takes_form::<held::Wanted>()
        .gives::<held::Settled>()
        .told(
            Method::POST,
            "/models/{model}/triggers/{trigger}/held/drop",
            held::drop,
            ("dropHeld", "Drops signals that a cap holds back; they are never sent."),
        )
        .takes_form::<held::Wanted>()
        .gives::<held::Settled>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}/shadows",
            held::shadows,
            ("listShadows", "Lists what a trigger in shadow mode would have sent, the last 1,000."),
        )
        .gives_list::<held::SignalShown>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}/outcomes",
            outcomes::of_trigger,
            (
                "showTriggerOutcomes",
                "Tells what became of the instances of a trigger: acted on, how long until the condition went away.",
            ),
        )
        .asks::<outcomes::Asked>()
        .gives::<outcomes::OfTrigger>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}/episodes",
            outcomes::episodes,
            (
                "listTriggerEpisodes",
                "Lists when instances entered the set of a trigger, when and how they left, and the runs that acted on them.",
            ),
        )
        .asks::<outcomes::Listed>()
        .gives_list::<outcomes::EpisodeShown>()
        .told(
            Method::GET,
            "/models/{model}/triggers/{trigger}/why/{identifier}",
            backtests::why,
            ("explainTrigger", "Tells why a trigger holds an instance or does not."),
        )
        .gives::<why::Why>()
        .told(
            Method::POST,
            "/models/{model}/triggers/{trigger}/backtest",
            backtests::run,
            ("backtestTrigger", "Replays history on a trigger: what would have fired, and was it right?"),
        )
        .takes_form::<backtests::Asked>()
        .gives::<backtests::Replayed>()
        .told(Method::GET, "/backtests", backtests::list, ("listBacktests", "Lists the backtests under way."))
        .gives_list::<backtests::UnderWay>()
        .told(Method::DELETE, "/backtests/{number}", backtests::stop, ("stopBacktest", "Stops a backtest."))
        .gives_nothing()
        .about("exploration")
        .told(
            Method::GET,
            "/models/{model}/map",
            explore::map,
            ("drawMap", "Draws the process map: which activity follows which, how often and how fast."),
        )
        .gives::<explored::ProcessMap>()
        .asks::<explore::MapAsked>()
        .told(
            Method::GET,
            "/models/{model}/variants",
            explore::variants,
            ("listVariants", "Lists the ways that cases take."),
        )
        .gives::<explored::Variants>()
        .asks::<explore::VariantsAsked>()
        .told(Method::GET, "/models/{model}/cases", explore::cases, ("listCases", "Lists cases."))
        .gives::<explored::Cases>()
        .asks::<explore::CasesAsked>()
        .told(
            Method::GET,
            "/models/{model}/cases/{case}",
            explore::case,
            ("showCase", "Shows a case with its events, what triggers know of it, and the signals that they sent."),
        )
        .gives::<explored::CaseShown>()
        .told(
            Method::GET,
            "/models/{model}/throughput",
            explore::throughput,
            ("countThroughput", "Counts cases by how long they take."),
        )
        .gives::<explored::Throughput>()
        .asks::<explore::ThroughputAsked>()
        .told(
            Method::GET,
            "/models/{model}/activities",
            explore::activities,
            ("listActivities", "Tells what there is to say about each activity, rework included."),
        )
        .gives::<explored::Activities>()
        .asks::<explore::ActivitiesAsked>()
        .told(
            Method::POST,
            "/models/{model}/conformance",
            explore::conformance,
            ("compareWithAllowed", "Compares cases with what is allowed; the body says that, in JSON or YAML."),
        )
        .gives::<explored::Conformance>()
        .asks::<explore::ConformanceAsked>()
        .takes(YAML)
}
