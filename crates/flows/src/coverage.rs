//! What of the original engine is here: its modules and functions as they stand
//! in exported blueprints and in public documentation, each with whether it
//! runs. Whoever brings blueprints along sees what they would miss.

use crate::mapping;
use crate::modules;

/// How much of a list is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// What the list is of.
    pub of: &'static str,
    /// What runs here.
    pub here: Vec<&'static str>,
    /// What does not.
    pub absent: Vec<&'static str>,
}

/// Modules by their ids; those of third parties are left out. The ids of the
/// two that create CSV, and of the last two of HTTP, are not public, so these
/// are ours.
const MODULES: [&str; 64] = [
    "http:ActionSendData",
    "http:ActionSendDataBasicAuth",
    "http:ActionSendDataAPIKeyAuth",
    "http:ActionSendDataOAuth",
    "http:ActionGetFile",
    "http:MakeRequest",
    "http:DownloadFile",
    "http:ResolveUrl",
    "gateway:CustomWebHook",
    "gateway:WebhookRespond",
    "gateway:CustomMailHook",
    "json:ParseJSON",
    "json:CreateJSON",
    "json:TransformToJSON",
    "json:AggregateToJSON",
    "csv:CreateCSV",
    "csv:CreateCSVAdvanced",
    "csv:ParseCSV",
    "builtin:BasicRouter",
    "builtin:BasicIfElse",
    "builtin:BasicMerge",
    "builtin:BasicFeeder",
    "builtin:BasicAggregator",
    "builtin:BasicRepeater",
    "builtin:Break",
    "builtin:Resume",
    "builtin:Ignore",
    "builtin:Commit",
    "builtin:Rollback",
    "util:SetVariables",
    "util:SetVariable2",
    "util:SetVariable",
    "util:GetVariable2",
    "util:GetVariable",
    "util:GetVariables",
    "util:FunctionSleep",
    "util:FunctionIncrement",
    "util:BasicTrigger",
    "util:ComposeTransformer",
    "util:Switcher",
    "util:TextAggregator",
    "util:FunctionAggregator2",
    "util:AggregateAggregator",
    "regexp:Parser",
    "regexp:AdvancedParser",
    "regexp:Replace",
    "regexp:HTMLToText",
    "regexp:GetElementsFromText",
    "regexp:GetElementsFromHTML",
    "xml:ParseXML",
    "xml:TransformToXML",
    "datastore:AddRecord",
    "datastore:UpdateRecord",
    "datastore:GetRecord",
    "datastore:SearchRecord",
    "datastore:ExistRecord",
    "datastore:DeleteRecord",
    "datastore:DeleteAllRecords",
    "datastore:CountRecords",
    "email:ActionSendEmail",
    "slack:CreateMessage",
    "scenario-service:StartSubscenario",
    "scenario-service:CallSubscenario",
    "scenario-service:ReturnData",
];

/// Functions of the mapping language.
#[rustfmt::skip]
const FUNCTIONS: [&str; 122] = [
    "if", "ifempty", "switch", "get", "pick", "omit", "equal", "mergeCollections", "isBlank", "in", "ifin", "case",
    "length", "lower", "upper", "capitalize", "startcase", "trim", "replace", "substring", "split", "indexOf",
    "contains", "toString", "toBinary", "stripHTML", "escapeHTML", "escapeMarkdown", "encodeURL", "decodeURL", "ascii",
    "base64", "md5", "sha1", "sha256", "sha512", "replaceEmojiCharacters", "concat", "left", "right", "pascal",
    "removeAccents", "replacePattern", "sortAscString", "sortDescString", "formatDate", "parseDate", "addSeconds",
    "addMinutes", "addHours", "addDays", "addMonths", "addYears", "setSecond", "setMinute", "setHour", "setDay",
    "setDate", "setMonth", "setYear", "dateDifference", "dayOfMonth", "dayOfWeek", "daysInMonth", "daysInYear",
    "daysInSplitWeek", "startOfMonth", "endOfMonth", "year", "month", "hour", "minute", "second", "isWeekend",
    "addWeekDays", "weekDayDiff", "workMinutesDiff", "dateMax", "dateMin", "round", "ceil", "floor", "abs", "trunc",
    "min", "max", "sum", "average", "median", "stdevS", "stdevP", "parseNumber", "formatNumber", "div", "ln", "log",
    "number", "power", "prod", "sqrt", "sub", "sortAscNum", "sortDescNum", "first", "last", "map", "join", "add",
    "remove", "sort", "reverse", "shuffle", "merge", "slice", "flatten", "distinct", "deduplicate", "keys", "toArray",
    "toCollection", "arrayDifference", "arrayElement",
];

/// Tells what is here of modules and functions.
pub fn coverage() -> [Coverage; 2] {
    let of = |of, all: &[&'static str], is_here: &dyn Fn(&str) -> bool| {
        let (here, absent) = all.iter().copied().partition(|name| is_here(name));
        Coverage { of, here, absent }
    };
    let function = |name: &str| mapping::FUNCTIONS.iter().any(|(_, all)| all.iter().any(|known| known.name == name));
    [of("modules", &MODULES, &|name| modules::find(name).is_some()), of("functions", &FUNCTIONS, &function)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_here_and_nothing_is_listed_that_is_not_counted() {
        let [modules, functions] = coverage();
        assert_eq!(functions.absent, Vec::<&str>::new());
        let of_the_original = |name: &&str| !name.starts_with("loopwright:") && !name.starts_with("databricks:");
        let known: Vec<&str> = modules::MODULES.iter().map(|module| module.name).filter(of_the_original).collect();
        assert!(known.iter().all(|name| modules.here.contains(name)), "{known:?}");
    }
}
