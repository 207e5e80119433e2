//! What a published model has to offer, in the words of its author: for those
//! who ask before they ask for data.

use base::Timestamp;

use crate::Error;
use crate::data::type_of_attribute;
use crate::knowledge_model::{About, ColumnType, Direction, KnowledgeModel, Kpi, Parameter, Record};
use crate::mining::Mining;
use crate::views::RecordView;

/// A published model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelDescription {
    /// The id of the model that it extends.
    pub extends: Option<String>,
    /// Its records.
    pub records: Vec<RecordShown>,
    /// Its filters.
    pub filters: Vec<FilterShown>,
    /// Its KPIs.
    pub kpis: Vec<KpiShown>,
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordShown {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// More of that.
    pub about: About,
    /// The identifier first.
    pub fields: Vec<FieldShown>,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldShown {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// More of that.
    pub about: About,
    /// What it holds.
    pub column_type: ColumnType,
    /// Format.
    pub format: Option<String>,
    /// Unit.
    pub unit: Option<String>,
}

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterShown {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// In sentences.
    pub description: Option<String>,
    /// Whether it holds in every question.
    pub global: bool,
}

/// A KPI.
#[derive(Clone, Debug, PartialEq)]
pub struct KpiShown {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// In sentences.
    pub description: Option<String>,
    /// Format.
    pub format: Option<String>,
    /// Unit.
    pub unit: Option<String>,
    /// Whether more is better.
    pub direction: Direction,
    /// What it should be now.
    pub target: Option<String>,
    /// Id, name and default of each parameter.
    pub parameters: Vec<(String, String, Option<String>)>,
}

impl Mining {
    /// Describes the published version.
    pub async fn describe(&self, model: &str) -> Result<ModelDescription, Error> {
        let (source, data_model) = self.published_text(model).await?;
        let parsed = KnowledgeModel::of(&source)?;
        let views = self.checked(model).await?.records;
        let clock = self.desk.db.read("mining.clock", move |tx| Ok::<_, Error>(crate::tables::clock(tx, data_model)?));
        let now = clock.await?.now(self.clock.now());
        let package = model.split_once('.').map_or("", |(package, _)| package);
        let extends = parsed.base.as_ref().map(|base| match base.key.value.contains('.') {
            true => base.key.value.clone(),
            false => format!("{package}.{}", base.key.value),
        });
        Ok(ModelDescription {
            extends,
            records: parsed.records.iter().zip(views).map(|(record, view)| of_record(record, view)).collect(),
            filters: parsed
                .filters
                .iter()
                .map(|filter| FilterShown {
                    id: filter.id.value.clone(),
                    name: filter.about.display_name.clone().unwrap_or_else(|| filter.id.value.clone()),
                    description: filter.about.description.clone(),
                    global: filter.global,
                })
                .collect(),
            kpis: parsed.kpis.iter().map(|kpi| of_kpi(kpi, now)).collect(),
        })
    }
}

fn of_record(record: &Record, view: RecordView) -> RecordShown {
    let fields = record.all_attributes().zip(view.fields).map(|(attribute, field)| FieldShown {
        id: field.id,
        name: field.name,
        about: attribute.about.clone(),
        column_type: type_of_attribute(attribute, field.field_type),
        format: field.format,
        unit: field.unit,
    });
    RecordShown { id: view.id, name: view.name, about: record.about.clone(), fields: fields.collect() }
}

fn of_kpi(kpi: &Kpi, now: Timestamp) -> KpiShown {
    let parameter = |parameter: &Parameter| {
        let name = parameter.display_name.clone().unwrap_or_else(|| parameter.id.value.clone());
        let default = parameter.default_value.as_ref().map(|value| value.value.clone());
        (parameter.id.value.clone(), name, default)
    };
    KpiShown {
        id: kpi.id.value.clone(),
        name: kpi.about.display_name.clone().unwrap_or_else(|| kpi.id.value.clone()),
        description: kpi.about.description.clone(),
        format: kpi.format.clone(),
        unit: kpi.unit.clone(),
        direction: kpi.desired_direction,
        target: kpi.target_at(now).map(|target| target.value.clone()),
        parameters: kpi.parameters.iter().map(parameter).collect(),
    }
}
