//! The mapping language, for whoever writes in it: what there is of it, and
//! what a template comes to.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use flows::filter::{self, Judgement, Sides};
use flows::mapping::handbook;
use flows::mapping::tryout::{Mistake as Found, Refused, Trial, Tried, Tryout};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// What the mapping language offers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = MappingLanguage)]
pub(super) struct Language {
    functions: Vec<Function>,
    keywords: Vec<Keyword>,
    /// The weakest first.
    operators: Vec<Operator>,
    filter_operators: Vec<FilterOperator>,
    /// The bundle of module 1 that the examples take from.
    #[schema(value_type = Object)]
    example_bundle: &'static Value,
}

/// A function of the mapping language.
#[derive(Serialize, ToSchema)]
#[schema(as = MappingFunction)]
struct Function {
    name: &'static str,
    /// `general`, `math`, `text`, `date` or `array`.
    group: &'static str,
    /// Its parameters; those in brackets may be left out.
    #[schema(example = "formatDate(date; format; [time zone])")]
    signature: &'static str,
    /// What it does, in a sentence.
    summary: &'static str,
    examples: Vec<Example>,
}

/// A template and what it comes to.
#[derive(Serialize, ToSchema)]
#[schema(as = MappingExample)]
struct Example {
    #[schema(example = "{{length(1.tags)}}")]
    template: &'static str,
    #[schema(value_type = Value)]
    result: &'static Value,
}

/// A name that stands for a value.
#[derive(Serialize, ToSchema)]
#[schema(as = MappingKeyword)]
struct Keyword {
    #[schema(example = "now")]
    name: &'static str,
    /// What it stands for.
    summary: &'static str,
}

/// An operator between values.
#[derive(Serialize, ToSchema)]
#[schema(as = MappingOperator)]
struct Operator {
    #[schema(example = "+")]
    name: &'static str,
    /// How else it may be written.
    also: Vec<&'static str>,
    /// What it does, in a sentence.
    summary: &'static str,
}

/// An operator of the conditions of a filter.
#[derive(Serialize, ToSchema)]
struct FilterOperator {
    /// As flows have it.
    #[schema(example = "text:equal:ci")]
    id: String,
    /// What both sides become: `text`, `number`, `date`, `time`, `array` or
    /// `boolean`; `exist` where they become nothing else.
    group: &'static str,
    #[schema(example = "Equal to (any case)")]
    words: String,
    /// It has no right side.
    unary: bool,
}

/// Tells what the mapping language offers.
pub(super) async fn functions(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Language>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let functions = handbook::functions().iter().map(|explained| Function {
        name: explained.function.name,
        group: explained.group,
        signature: explained.function.signature,
        summary: explained.function.summary(),
        examples: explained
            .examples
            .iter()
            .map(|example| Example { template: &example.template, result: &example.result })
            .collect(),
    });
    let keywords = handbook::names().map(|(name, summary)| Keyword { name, summary });
    let operators = handbook::operators().into_iter();
    let operators = operators.map(|handbook::Operator { name, also, summary }| Operator { name, also, summary });
    Ok(Json(Language {
        functions: functions.collect(),
        keywords: keywords.collect(),
        operators: operators.collect(),
        filter_operators: filter::OPERATORS.iter().flat_map(offered).collect(),
        example_bundle: handbook::example_bundle(),
    }))
}

/// Lists an operator, and behind it what ignores upper and lower case.
fn offered(operator: &filter::Operator) -> impl Iterator<Item = FilterOperator> + use<> {
    let filter::Operator { id, group, words, sides } = *operator;
    let plain = FilterOperator { id: id.to_owned(), group, words: words.to_owned(), unary: sides == Sides::One };
    let any_case = (sides == Sides::TwoInAnyCase).then(|| FilterOperator {
        id: format!("{id}:ci"),
        group,
        words: format!("{words} (any case)"),
        unary: false,
    });
    std::iter::once(plain).chain(any_case)
}

/// A template, and what it is tried with.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = MappingTryout)]
pub(super) struct Attempt {
    /// A text with expressions; at most 32 KiB.
    #[schema(example = "Order {{2.order}} is {{if(2.days > 3; \"late\"; \"fine\")}}")]
    template: String,
    /// What earlier modules have given, by their ids; at most 1 MiB.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"2": {"order": "4711", "days": 5}}))]
    bundles: BTreeMap<u32, Value>,
    /// What names of the engine stand for, such as `var`.
    #[serde(default)]
    #[schema(value_type = Object)]
    names: BTreeMap<String, Value>,
    /// The time zone of the flow; UTC if it is left out.
    #[schema(example = "Europe/Berlin")]
    zone: Option<String>,
    /// The type of the field for which it is meant, to which the value is converted.
    #[schema(example = "text")]
    kind: Option<String>,
    /// The field holds JSON text: what is mapped is escaped.
    #[serde(default)]
    is_json: bool,
}

/// What a template came to, or what is wrong with it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = MappingResult)]
pub(super) enum Answer {
    /// A value.
    Value(Evaluated),
    /// The template has a mistake.
    Mistake(Wrong),
}

/// The value of a template.
#[derive(Serialize, ToSchema)]
#[schema(as = MappingValue)]
pub(super) struct Evaluated {
    #[schema(value_type = Value)]
    value: Value,
    /// `text`, `number`, `boolean`, `date`, `collection`, `array`, `buffer`,
    /// `null`, or `absent` where nothing was there; its value is null, too.
    kind: &'static str,
}

/// A template with a mistake.
#[derive(Serialize, ToSchema)]
#[schema(as = MappingWrong)]
pub(super) struct Wrong {
    error: Mistake,
}

/// What is wrong with a template, and where.
#[derive(Serialize, ToSchema)]
#[schema(as = MappingMistake)]
struct Mistake {
    message: String,
    /// Where it begins, in UTF-16 units of the template, as browsers count.
    start: usize,
    /// Where it ends; what stands at that place is no longer part of it.
    end: usize,
    /// What may stand between the two instead, where that is plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    fix: Option<String>,
}

/// Tries a template.
pub(super) async fn evaluate(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(body::Object(attempt)): body::Json<body::Object<Attempt>>,
) -> Result<Json<Answer>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let Attempt { template, bundles, names, zone, kind, is_json } = attempt;
    let tryout = Tryout { template, bundles, names, zone, kind, is_json };
    let now = app.clock.now();
    // A pattern or a large array may take a while, in which others go on.
    let tried = tokio::task::spawn_blocking(move || tryout.evaluate(now, app.chance.as_ref())).await;
    let tried = tried.map_err(|_| Fault::panicked())?.map_err(not_tried)?;
    Ok(Json(match tried {
        Tried::Value(value) => Answer::Value(Evaluated { kind: value.kind(), value: value.to_json() }),
        Tried::Mistake(Found { message, start, end, fix }) => {
            Answer::Mistake(Wrong { error: Mistake { message, start, end, fix } })
        }
    }))
}

fn not_tried(refused: Refused) -> Fault {
    Fault::invalid(refused.field(), refused.code(), refused.to_string())
}

/// Conditions, and what they are tried with.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = MappingTrial)]
pub(super) struct Asked {
    /// As they stand in a filter: lists, any of which is enough, of conditions,
    /// all of which must hold; at most 32 KiB.
    #[schema(value_type = Vec<Vec<Object>>, example = json!([[{"a": "{{2.statusCode}}", "o": "number:equal", "b": "200"}]]))]
    conditions: Value,
    /// What earlier modules have given, by their ids; at most 1 MiB.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"2": {"statusCode": 401}}))]
    bundles: BTreeMap<u32, Value>,
    /// What names of the engine stand for, such as `var`.
    #[serde(default)]
    #[schema(value_type = Object)]
    names: BTreeMap<String, Value>,
    /// The time zone of the flow; UTC if it is left out.
    #[schema(example = "Europe/Berlin")]
    zone: Option<String>,
}

/// What conditions say of the bundles, or what is wrong with them.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = MappingJudgement)]
pub(super) enum Judged {
    /// Whether a bundle may pass, and why.
    Judgement(Judgement),
    /// The conditions have a mistake.
    Mistake(Misjudged),
}

/// Conditions with a mistake.
#[derive(Serialize, ToSchema)]
#[schema(as = MappingMisjudged)]
pub(super) struct Misjudged {
    /// What is wrong.
    error: String,
}

/// Tries conditions.
pub(super) async fn judge(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(body::Object(asked)): body::Json<body::Object<Asked>>,
) -> Result<Json<Judged>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let Asked { conditions, bundles, names, zone } = asked;
    let trial = Trial { conditions, bundles, names, zone };
    let now = app.clock.now();
    let judged = tokio::task::spawn_blocking(move || trial.judge(now, app.chance.as_ref())).await;
    let judged = judged.map_err(|_| Fault::panicked())?.map_err(not_tried)?;
    Ok(Json(match judged {
        Ok(judgement) => Judged::Judgement(judgement),
        Err(error) => Judged::Mistake(Misjudged { error }),
    }))
}
