//! Guessing which column says what of a process: case, activity, time and
//! resource.
//!
//! A name that people and programs give to such a column counts most; what its
//! values look like settles the rest. Every guess comes with how sure it is and
//! why, for a person decides.

use serde::{Deserialize, Serialize};

use crate::rows::ColumnType;

/// What a column says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Which case an event belongs to.
    Case,
    /// What was done.
    Activity,
    /// When it was done, or when it ended.
    Time,
    /// When it was begun, where its end is known too.
    Start,
    /// Who did it.
    Resource,
}

/// A role that a column seems to have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuessedRole {
    /// The role.
    pub role: Role,
    /// How sure that is, from 0 to 1.
    pub confidence: f64,
    /// Why, in words.
    pub reason: String,
}

/// A column as far as it was seen.
pub(crate) struct ColumnSeen<'a> {
    pub(crate) name: &'a str,
    pub(crate) column_type: ColumnType,
    /// Values that are there, as texts, in the order of the rows.
    pub(crate) values: Vec<&'a str>,
    /// How many rows there were.
    pub(crate) rows: usize,
}

/// Names without anything but letters and digits, in small letters, and how
/// sure a column of that name has the role.
const NAMES: [(Role, &[(&str, f64)]); 5] = [
    (
        Role::Case,
        &[
            ("caseconceptname", 1.0),
            ("caseid", 0.97),
            ("casekey", 0.97),
            ("case", 0.95),
            ("caseidentifier", 0.95),
            ("caseno", 0.95),
            ("casenumber", 0.95),
            ("traceid", 0.9),
            ("trace", 0.85),
            ("processinstanceid", 0.9),
            ("processinstance", 0.85),
            ("instanceid", 0.75),
            ("fallid", 0.95),
            ("fall", 0.9),
            ("fallnummer", 0.95),
            ("vorgangsnummer", 0.9),
            ("vorgangsid", 0.9),
            ("vorgangid", 0.9),
            ("srnumber", 0.85),
            ("incidentid", 0.85),
            ("ticketid", 0.85),
            ("ticket", 0.75),
            ("applicationid", 0.85),
            ("claimid", 0.85),
            ("declarationnumber", 0.5),
            ("orderid", 0.75),
            ("ordernumber", 0.75),
            ("orderno", 0.75),
            ("purchaseorder", 0.7),
            ("bestellnummer", 0.75),
            ("bestellung", 0.7),
            ("auftragsnummer", 0.75),
            ("auftrag", 0.7),
            ("belegnummer", 0.7),
            ("rechnungsnummer", 0.7),
            ("antragsnummer", 0.75),
            ("invoiceid", 0.7),
            ("requestid", 0.7),
            ("ebeln", 0.75),
            ("vbeln", 0.75),
            ("belnr", 0.7),
            ("aufnr", 0.7),
            ("objectid", 0.55),
        ],
    ),
    (
        Role::Activity,
        &[
            ("conceptname", 1.0),
            ("activity", 0.97),
            ("activityname", 0.97),
            ("activityen", 0.97),
            ("activityde", 0.9),
            ("aktivität", 0.97),
            ("aktivitaet", 0.97),
            ("tätigkeit", 0.9),
            ("taetigkeit", 0.9),
            ("task", 0.85),
            ("taskname", 0.85),
            ("event", 0.8),
            ("eventname", 0.9),
            ("eventtype", 0.75),
            ("ereignis", 0.85),
            ("action", 0.8),
            ("aktion", 0.8),
            ("schritt", 0.85),
            ("arbeitsschritt", 0.9),
            ("prozessschritt", 0.95),
            ("vorgang", 0.6),
            ("step", 0.8),
            ("processstep", 0.9),
            ("operation", 0.75),
            ("activityid", 0.6),
            ("activitykey", 0.6),
            ("status", 0.5),
            ("tcode", 0.6),
        ],
    ),
    (
        Role::Time,
        &[
            ("timetimestamp", 1.0),
            ("timestamp", 0.95),
            ("eventtime", 0.95),
            ("eventtimestamp", 0.95),
            ("completetimestamp", 0.97),
            ("completetime", 0.9),
            ("endtimestamp", 0.95),
            ("endtime", 0.9),
            ("enddate", 0.85),
            ("enddatetime", 0.9),
            ("end", 0.85),
            ("zeitstempel", 0.95),
            ("zeitpunkt", 0.95),
            ("endzeit", 0.9),
            ("ende", 0.85),
            ("datumuhrzeit", 0.95),
            ("datum", 0.85),
            ("datetime", 0.9),
            ("date", 0.85),
            ("time", 0.85),
            ("zeit", 0.85),
            ("changetime", 0.75),
            ("changedatetime", 0.75),
            ("changedat", 0.75),
            ("createdat", 0.7),
            ("creationdate", 0.65),
            ("erdat", 0.7),
            ("aedat", 0.7),
            ("udate", 0.7),
            ("budat", 0.65),
        ],
    ),
    (
        Role::Start,
        &[
            ("starttimestamp", 0.97),
            ("starttime", 0.95),
            ("startdate", 0.9),
            ("startdatetime", 0.95),
            ("start", 0.9),
            ("begin", 0.85),
            ("beginn", 0.9),
            ("startzeit", 0.95),
            ("startzeitpunkt", 0.95),
            ("begintime", 0.9),
        ],
    ),
    (
        Role::Resource,
        &[
            ("orgresource", 1.0),
            ("resource", 0.95),
            ("ressource", 0.95),
            ("user", 0.85),
            ("userid", 0.85),
            ("username", 0.85),
            ("usertype", 0.3),
            ("usnam", 0.85),
            ("ernam", 0.85),
            ("bearbeiter", 0.95),
            ("sachbearbeiter", 0.95),
            ("benutzer", 0.85),
            ("mitarbeiter", 0.85),
            ("employee", 0.8),
            ("agent", 0.7),
            ("performer", 0.85),
            ("assignedto", 0.75),
            ("assignee", 0.75),
            ("owner", 0.6),
            ("ownerfirstname", 0.5),
        ],
    ),
];

/// A guess below this is not worth showing.
const CONFIDENCE_MIN: f64 = 0.35;

/// Guesses the roles of the columns, in their order.
pub(crate) fn guess(columns: &[ColumnSeen<'_>]) -> Vec<Option<GuessedRole>> {
    let mut all = Vec::new();
    for (place, column) in columns.iter().enumerate() {
        for role in [Role::Case, Role::Activity, Role::Time, Role::Start, Role::Resource] {
            if let Some((confidence, reason)) = fit(column, role) {
                all.push((place, GuessedRole { role, confidence, reason }));
            }
        }
    }
    // The surest first; what stands further left wins a tie.
    all.sort_by(|one, other| other.1.confidence.total_cmp(&one.1.confidence).then(one.0.cmp(&other.0)));
    let mut roles: Vec<Option<GuessedRole>> = columns.iter().map(|_| None).collect();
    for (place, guess) in all {
        let taken = roles.iter().flatten().any(|known| known.role == guess.role);
        if !taken && roles[place].is_none() && guess.confidence >= CONFIDENCE_MIN {
            roles[place] = Some(guess);
        }
    }
    // A beginning without an end is the time of the event.
    let has_time = roles.iter().flatten().any(|guess| guess.role == Role::Time);
    for guess in roles.iter_mut().flatten().filter(|guess| guess.role == Role::Start && !has_time) {
        guess.role = Role::Time;
    }
    roles
}

/// Tells how sure a column has a role, and why.
fn fit(column: &ColumnSeen<'_>, role: Role) -> Option<(f64, String)> {
    let plain: String =
        column.name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let (_, names) = NAMES.iter().find(|(known, _)| *known == role)?;
    // Some logs say of each column whether it is one of the event.
    let bare = plain.strip_prefix("event").filter(|rest| rest.len() > 2).unwrap_or(&plain);
    let sure_of = |wanted: &str| names.iter().find(|(name, _)| *name == wanted).map(|(_, sure)| *sure);
    let by_name = sure_of(&plain).or_else(|| sure_of(bare).map(|sure| sure * 0.95));
    let is_time = column.column_type == ColumnType::Time;
    let wants_time = matches!(role, Role::Time | Role::Start);
    if is_time != wants_time && !column.values.is_empty() {
        return None;
    }
    let (distinct, values) = (distinct(&column.values), column.values.len());
    if let Some(sure) = by_name {
        let named = format!("it is called \"{}\"", column.name);
        // A case that occurs once only says little of a process.
        if role == Role::Case && values > 20 && distinct == values {
            return Some((sure * 0.6, format!("{named}, yet every row has another value")));
        }
        if role == Role::Activity && values > 50 && distinct * 2 > values {
            return Some((sure * 0.6, format!("{named}, yet half of its values occur once")));
        }
        return Some((sure, named));
    }
    by_values(column, role, distinct)
}

fn by_values(column: &ColumnSeen<'_>, role: Role, distinct: usize) -> Option<(f64, String)> {
    let values = column.values.len();
    if values < 4 || values * 10 < column.rows * 9 {
        return None;
    }
    let ratio = distinct as f64 / values as f64;
    let words = column.values.iter().filter(|text| text.chars().any(char::is_alphabetic)).count();
    match role {
        Role::Time => Some((0.55 + 0.1 * ratio, "it holds times".to_owned())),
        Role::Activity => {
            let few = (2..=200).contains(&distinct) && ratio < 0.5;
            let spoken = column.values.iter().filter(|text| text.contains(' ')).count() * 3 > values;
            let sure = if spoken { 0.5 } else { 0.4 };
            (few && words == values && column.column_type == ColumnType::Text)
                .then(|| (sure, format!("it holds words, and only {distinct} different ones in {values} rows")))
        }
        Role::Case => {
            let repeats = ratio > 0.005 && ratio < 0.75 && distinct > 1;
            let is_id = column.column_type != ColumnType::Float && column.values.iter().all(|text| text.len() <= 64);
            let called = column.name.to_lowercase();
            let id_name = ["id", "nr", "no", "nummer", "number", "key"].iter().any(|end| called.ends_with(end));
            let runs = column.values.windows(2).filter(|pair| pair[0] == pair[1]).count();
            let grouped = runs * 3 > values;
            let sure = 0.3 + if id_name { 0.15 } else { 0.0 } + if grouped { 0.1 } else { 0.0 };
            (repeats && is_id && (id_name || grouped))
                .then(|| (sure, format!("its {distinct} values come back in {values} rows, as cases do")))
        }
        Role::Start | Role::Resource => None,
    }
}

fn distinct(values: &[&str]) -> usize {
    values.iter().collect::<std::collections::HashSet<_>>().len()
}
