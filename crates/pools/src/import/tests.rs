//! Logs from their files to their rows.

use std::fmt::Write as _;
use std::io::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::pieces::{ImportReading, ReadColumn, load};
use super::survey::{Survey, survey};
use super::*;
use crate::Piece;
use crate::rows::Cell;
use crate::schema::text_of;

fn file(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> LogFile {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file can be written");
    LogFile { name: name.into(), path }
}

type PiecesOfPart = (String, Vec<Piece>);

/// Surveys a log and reads every part of it as its push jobs would.
fn rows_of(format: Format, bytes: &[u8]) -> Result<(Survey, Vec<PiecesOfPart>), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = [file(&folder, "log", bytes)];
    let words = |refusal| match refusal {
        Refusal::Rows(sentence) => sentence,
        Refusal::Stopped => "stopped".into(),
    };
    let survey = survey(format, &files, &BytesRead::default()).map_err(words)?;
    let mut all = Vec::new();
    for part in &survey.parts {
        let columns = part.columns.iter().map(|(name, column_type)| ReadColumn {
            name: name.clone(),
            target: Some(name.clone()),
            column_type: Some(*column_type),
        });
        let reading = ImportReading { format, part: part.name.clone(), columns: columns.collect() };
        let mut pieces = Vec::new();
        load(&reading, &files, &BytesRead::default(), &mut |piece| {
            pieces.push(piece);
            Ok(())
        })
        .map_err(words)?;
        all.push((part.name.clone(), pieces));
    }
    Ok((survey, all))
}

fn drawn(format: Format, text: &str) -> String {
    let (survey, parts) = match rows_of(format, text.as_bytes()) {
        Ok(read) => read,
        Err(sentence) => return format!("refused: {sentence}"),
    };
    let mut out = String::new();
    for (name, pieces) in parts {
        if !name.is_empty() {
            writeln!(out, "[{name}]").unwrap();
        }
        for piece in pieces {
            let Piece::Upsert(rows) = piece else { panic!("rows of a log are upserts") };
            let head =
                rows.columns().iter().map(|column| format!("{}: {:?}", column.name, column.values.column_type()));
            writeln!(out, "{}", head.collect::<Vec<_>>().join(" | ")).unwrap();
            for row in 0..rows.len() {
                let cells = rows.columns().iter().map(|column| match column.cell(row) {
                    Cell::Null => "–".to_owned(),
                    cell => text_of(cell),
                });
                writeln!(out, "{}", cells.collect::<Vec<_>>().join(" | ")).unwrap();
            }
        }
    }
    for note in survey.notes {
        writeln!(out, "note: {note}").unwrap();
    }
    out
}

fn check_xes(inside: &str, expected: Expect) {
    expected.assert_eq(&drawn(
        Format::Xes,
        &format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<log>\n{inside}\n</log>\n"),
    ));
}

fn check_ocel(text: &str, expected: Expect) {
    expected.assert_eq(&drawn(Format::Ocel, text));
}

#[test]
fn a_log_becomes_one_row_per_event() {
    check_xes(
        r#"<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<classifier name="Activity" keys="concept:name lifecycle:transition"/>
<string key="concept:name" value="orders"/>
<trace>
  <string key="concept:name" value="NA"/>
  <int key="amount" value="12"/>
  <event>
    <string key="concept:name" value="Create &amp; check"/>
    <date key="time:timestamp" value="2026-02-03T09:15:00.000+01:00"/>
    <boolean key="urgent" value="true"/>
  </event>
  <event>
    <string key="concept:name" value="Pay"/>
    <date key="time:timestamp" value="2026-02-04T10:00:00Z"/>
    <float key="cost" value="7.50"/>
  </event>
</trace>
<trace>
  <string key="concept:name" value="2"/>
  <float key="amount" value="12.5"/>
  <event><string key="concept:name" value="Pay"/><string key="org:resource" value=""/></event>
</trace>
<trace><string key="concept:name" value="empty"/></trace>"#,
        expect![[r#"
            case:concept:name: Text | case:amount: Float | concept:name: Text | time:timestamp: Time | urgent: Boolean | cost: Float
            NA | 12.0 | Create & check | 2026-02-03T08:15:00.000Z | true | –
            NA | 12.0 | Pay | 2026-02-04T10:00:00.000Z | – | 7.5
            2 | 12.5 | Pay | – | – | –
            note: classifier "Activity" names an activity by concept:name lifecycle:transition
            note: 1 traces have no events, and so no rows
        "#]],
    );
}

#[test]
fn attributes_below_attributes_have_a_path() {
    check_xes(
        r#"<trace><event>
  <string key="concept:name" value="Ship"><string key="why" value="late"/><string key="why" value="lost"/></string>
  <float key="cost:total" value="3"><string key="currency" value="EUR"/></float>
  <container key="box"><int key="weight" value="4"/></container>
  <list key="items"><values><string key="item" value="A"/><int key="item" value="2"/></values></list>
  <list key="old"><string key="x" value="1"/></list>
</event></trace>"#,
        expect![[r#"
            concept:name: Text | concept:name/why: Text | concept:name/why#2: Text | cost:total: Float | cost:total/currency: Text | box/weight: Integer | items: Text | old: Text
            Ship | late | lost | 3.0 | EUR | 4 | [{"item":"A"},{"item":2}] | [{"x":"1"}]
            note: 1 traces have no concept:name; their events belong to no case
        "#]],
    );
}

#[test]
fn what_a_global_declares_stands_in_for_what_is_missing() {
    check_xes(
        r#"<global scope="trace"><string key="concept:name" value="__INVALID__"/><string key="region" value="EU"/></global>
<global scope="event">
  <date key="time:timestamp" value="1970-01-01T00:00:00.000+01:00"/>
  <string key="lifecycle:transition" value="complete"/>
  <int key="count" value="0"/>
</global>
<trace><string key="concept:name" value="1"/>
  <event><string key="concept:name" value="a"/></event>
  <event><string key="concept:name" value="b"/><string key="lifecycle:transition" value="start"/></event>
</trace>
<event><string key="concept:name" value="of no trace"/></event>"#,
        expect![[r"
            case:concept:name: Text | case:region: Text | concept:name: Text | lifecycle:transition: Text
            1 | EU | a | complete
            1 | EU | b | start
            – | – | of no trace | complete
        "]],
    );
}

#[test]
fn one_column_holds_what_different_events_call_different_types() {
    check_xes(
        r#"<trace><string key="concept:name" value="1"/>
<event><int key="n" value="1"/><int key="m" value="1"/><id key="k" value="7"/></event>
<event><float key="n" value="1.5"/><string key="m" value="x"/><float key="k" value="NaN"/></event>
<event><float key="N" value="2"/></event></trace>"#,
        expect![[r"
            case:concept:name: Text | n: Float | m: Text | k: Text
            1 | 1.0 | 1 | 7
            1 | 1.5 | x | –
            1 | 2.0 | – | –
        "]],
    );
}

#[test]
fn a_broken_log_is_refused_with_line_and_column() {
    check_xes(
        "<trace>\n  <event>\n</trace>",
        expect![[
            r#"refused: file "log", line 5, column 9: the XML is broken: ill-formed document: expected `</event>`, but `</trace>` was found"#
        ]],
    );
    check_xes(
        "<trace><event>\n <int key=\"n\" value=\"many\"/></event></trace>",
        expect![[r#"refused: file "log", line 4, column 2: attribute "n": "many" is not a whole number"#]],
    );
    check_xes(
        "<trace><event>\n <date key=\"t\" value=\"03.02.2026\"/></event></trace>",
        expect![[
            r#"refused: file "log", line 4, column 2: attribute "t": "03.02.2026" is not a date, such as 2026-02-03T09:15:00.000+01:00"#
        ]],
    );
    check_xes(
        "<trace><event>\n <string value=\"x\"/></event></trace>",
        expect![[r#"refused: file "log", line 4, column 2: an attribute has no key"#]],
    );
    check_xes(
        "<trace><event>\n <string key=x/></event></trace>",
        expect![[
            r#"refused: file "log", line 4, column 2: position 11: attribute value must be enclosed in `"` or `'`"#
        ]],
    );
    check_xes(
        "<trace><event>\n <string key='x' value='&unknown;'/></event></trace>",
        expect![[
            r#"refused: file "log", line 4, column 2: the XML is broken: at 1..8: unrecognized entity `unknown`"#
        ]],
    );
    check_xes(
        "<trace><event/><string key=\"late\" value=\"x\"/></trace>",
        expect![[
            r#"refused: file "log", line 3, column 16: attribute "late" of a trace stands behind its events: XES has it before them"#
        ]],
    );
    expect![[r#"refused: file "log", line 3, column 8: the file ends inside <event>, which begins in line 3"#]]
        .assert_eq(&drawn(Format::Xes, "<log>\n<trace>\n<event>"));
    expect![[r#"refused: file "log": its encoding "EBCDIC" is not one of UTF-8, US-ASCII, ISO-8859-1, WINDOWS-1252, UTF-16, UTF-16LE, UTF-16BE"#]].assert_eq(&drawn(Format::Xes, "<?xml version=\"1.0\" encoding=\"EBCDIC\"?><log/>"));
    let deep = "<container key=\"c\">".repeat(100);
    expect![[r#"refused: file "log", line 1, column 1179: more than 64 elements stand inside each other"#]]
        .assert_eq(&drawn(Format::Xes, &format!("<log><trace><event>{deep}")));
}

const SHOP: &str = r#"{
  "events": [
    {"id": "e1", "type": "Place Order", "time": "2026-02-03T09:15:00Z",
     "attributes": [{"name": "total", "value": "12.50"}, {"name": "zip", "value": "4711"}],
     "relationships": [{"objectId": "o1", "qualifier": "order"}, {"objectId": "i1", "qualifier": ""}]},
    {"id": "e2", "type": "Pay", "time": "2026-02-04T09:15:00.5+01:00"}
  ],
  "eventTypes": [
    {"name": "Place Order", "attributes": [{"name": "total", "type": "float"}, {"name": "zip", "type": "string"}]},
    {"name": "Pay", "attributes": []}
  ],
  "objectTypes": [
    {"name": "Order", "attributes": [{"name": "price", "type": "integer"}]},
    {"name": "Item", "attributes": []},
    {"name": "Unused", "attributes": [{"name": "due", "type": "time"}]}
  ],
  "objects": [
    {"id": "o1", "type": "Order",
     "attributes": [
       {"name": "price", "value": 10, "time": "1970-01-01T00:00:00Z"},
       {"name": "price", "value": 12.5, "time": "2026-02-05T00:00:00Z"}],
     "relationships": [{"objectId": "i1", "qualifier": "has"}]},
    {"id": "i1", "type": "Item"},
    {"id": "NA", "type": "Order", "attributes": [{"name": "price", "value": "high", "time": "1970-01-01T00:00:00Z"}]}
  ]
}"#;

#[test]
fn an_object_centric_log_becomes_several_tables() {
    check_ocel(
        SHOP,
        expect![[r#"
        [events]
        event_id: Text | activity: Text | timestamp: Time | total: Float | zip: Text
        e1 | Place Order | 2026-02-03T09:15:00.000Z | 12.5 | 4711
        e2 | Pay | 2026-02-04T08:15:00.500Z | – | –
        [event_objects]
        event_id: Text | activity: Text | timestamp: Time | object_id: Text | qualifier: Text
        e1 | Place Order | 2026-02-03T09:15:00.000Z | o1 | order
        e1 | Place Order | 2026-02-03T09:15:00.000Z | i1 | –
        [Order]
        object_id: Text | price: Text
        o1 | 10
        NA | high
        [Item]
        object_id: Text
        i1
        [Unused]
        object_id: Text | due: Time
        [object_changes]
        object_id: Text | object_type: Text | attribute: Text | value: Text | timestamp: Time
        o1 | Order | price | 12.5 | 2026-02-05T00:00:00.000Z
        [object_objects]
        object_id: Text | related_id: Text | qualifier: Text
        o1 | i1 | has
        note: column "price" of "Order" is said to hold integer, yet its values need text
        note: 1 events touch no object
    "#]],
    );
}

#[test]
fn a_broken_object_centric_log_is_refused_with_its_place() {
    check_ocel(
        "{\"events\": [\n {\"id\": 1}]}",
        expect![[r#"refused: file "log": line 2, column 10: invalid type: integer `1`, expected a string"#]],
    );
    check_ocel(
        "{\"events\": [\n {\"id\": \"e\", \"type\": \"a\", \"time\": \"soon\"}]}",
        expect![[
            r#"refused: file "log": line 2, column 42: the time of event "e" is "soon", which is no ISO 8601 date and time"#
        ]],
    );
    check_ocel(
        "{\"events\": [\n {\"id\": \"e\"",
        expect![[r#"refused: file "log": line 2, column 11: EOF while parsing an object"#]],
    );
    check_ocel(
        "{\"events\": {}}",
        expect![[r#"refused: file "log": line 1, column 12: invalid type: map, expected a list"#]],
    );
    check_ocel(
        "{\"rows\": []}",
        expect![[
            r#"refused: file "log": it has none of objectTypes, eventTypes, objects and events, as OCEL 2.0 has"#
        ]],
    );
    check_ocel(
        "[]",
        expect![[
            r#"refused: file "log": line 1, column 1: invalid type: sequence, expected an object with objectTypes, eventTypes, objects and events"#
        ]],
    );
}

#[test]
fn an_element_has_an_end() {
    let endless = "x".repeat(17 << 20);
    for (format, text) in [
        (Format::Xes, format!("<log><trace><string key=\"n\" value=\"{endless}")),
        (Format::Ocel, format!("{{\"events\": [{{\"id\": \"{endless}")),
    ] {
        let Err(refusal) = rows_of(format, text.as_bytes()) else { panic!("it is never closed") };
        assert!(refusal.contains("one element is longer than 16 MiB: is it never closed?"), "{refusal}");
    }
}

#[test]
fn gzip_and_other_charsets_are_undone() {
    let text = "<?xml version='1.0' encoding='ISO-8859-1'?><log><trace><event><string key='n' value='M\u{fc}ller'/></event></trace></log>";
    let latin: Vec<u8> = text.chars().map(|letter| letter as u8).collect();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(&latin).unwrap();
    let (survey, _) = rows_of(Format::Xes, &zip.finish().unwrap()).unwrap();
    assert_eq!(survey.parts[0].first, [[Some("Müller".to_owned())]]);
}

fn any_value() -> impl Strategy<Value = (&'static str, String)> {
    prop_oneof![
        "[a-zäß<>&\"' ]{1,12}".prop_map(|text| ("string", text)),
        any::<i64>().prop_map(|value| ("int", value.to_string())),
        (-1e9..1e9f64).prop_map(|value| ("float", format!("{value:?}"))),
        any::<bool>().prop_map(|value| ("boolean", value.to_string())),
    ]
}

proptest! {
    #[test]
    fn what_is_written_as_xes_is_read_again(traces in prop::collection::vec(prop::collection::vec(prop::collection::btree_map("[a-z]{1,6}", any_value(), 1..5), 1..5), 1..6)) {
        let mut text = String::from("<log>");
        let mut written = Vec::new();
        for (case, events) in traces.iter().enumerate() {
            write!(text, "<trace><string key=\"concept:name\" value=\"{case}\"/>").unwrap();
            for event in events {
                text.push_str("<event>");
                let mut fields = std::collections::BTreeMap::from([("case:concept:name".to_owned(), case.to_string())]);
                for (key, (tag, value)) in event {
                    write!(text, "<{tag} key=\"{key}\" value=\"{}\"/>", quick_xml::escape::escape(value.as_str())).unwrap();
                    fields.insert(key.clone(), value.clone());
                }
                written.push(fields);
                text.push_str("</event>");
            }
            text.push_str("</trace>");
        }
        text.push_str("</log>");
        let (_, parts) = rows_of(Format::Xes, text.as_bytes()).unwrap();
        let mut read = Vec::new();
        for piece in &parts[0].1 {
            let Piece::Upsert(rows) = piece else { panic!("rows of a log are upserts") };
            for row in 0..rows.len() {
                let cells = rows.columns().iter().filter(|column| column.cell(row) != Cell::Null);
                read.push(cells.map(|column| (column.name.clone(), text_of(column.cell(row)))).collect::<std::collections::BTreeMap<_, _>>());
            }
        }
        prop_assert_eq!(read.len(), written.len());
        for (read, written) in read.iter().zip(&written) {
            prop_assert_eq!(read.keys().collect::<Vec<_>>(), written.keys().collect::<Vec<_>>());
            for (key, value) in written {
                let same = read[key] == *value || read[key].parse::<f64>().ok() == value.parse::<f64>().ok();
                prop_assert!(same, "{}: {:?} became {:?}", key, value, read[key]);
            }
        }
    }
}
