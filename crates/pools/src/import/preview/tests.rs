//! What a person sees of the files that people have.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn looked(name: &str, bytes: &[u8], options: &ImportOptions) -> Result<Preview, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).expect("a file can be written");
    let files = [LogFile { name: name.into(), path }];
    let looked = || {
        let format = format_of_all(&files, options)?;
        let (parts, notes) = parts_of(&files, format)?;
        preview(&files, bytes.len() as u64, format, &parts, &notes, options)
    };
    looked().map_err(|error| error.to_string())
}

fn drawn(name: &str, bytes: &[u8], options: &ImportOptions) -> String {
    let preview = match looked(name, bytes, options) {
        Ok(preview) => preview,
        Err(sentence) => return format!("refused: {sentence}"),
    };
    let mut out = String::new();
    for table in &preview.tables {
        let rows = table.rows.map_or("?".to_owned(), |rows| rows.to_string());
        let about = if table.exact { "" } else { "about " };
        writeln!(out, "{} {}: {about}{rows} rows", preview.format, table.table).unwrap();
        if preview.format == Format::Csv {
            let csv = &preview.csv;
            writeln!(out, "separator {:?} quote {:?} charset {:?}", csv.separator, csv.quote, csv.charset).unwrap();
        }
        for column in &table.columns {
            let role = column.role.as_ref().map_or(String::new(), |guess| {
                format!(" = {:?} {:.0} %, {}", guess.role, guess.confidence * 100.0, guess.reason)
            });
            writeln!(out, "{}: {:?}, {}{role}", column.name, column.column_type, column.reason).unwrap();
        }
    }
    for warning in &preview.warnings {
        writeln!(out, "warning: {warning}").unwrap();
    }
    out
}

fn check(text: &str, expected: Expect) {
    expected.assert_eq(&drawn("orders.csv", text.as_bytes(), &ImportOptions::default()));
}

/// Tells separator, then case, activity, time, start and resource.
fn roles(text: &str, expected: &str) {
    let preview = looked("log.csv", text.as_bytes(), &ImportOptions::default()).expect("a CSV file");
    let table = &preview.tables[0];
    let named = [Role::Case, Role::Activity, Role::Time, Role::Start, Role::Resource];
    let named = named.map(|role| table.column_with(role).unwrap_or("–").to_owned());
    let separator = preview.csv.separator.as_deref().unwrap_or(",").replace('\t', "\\t");
    assert_eq!(format!("{separator} {}", named.join(" | ")), expected, "{text}");
}

#[test]
fn headers_that_programs_write_are_known() {
    // pm4py, Disco, and logs of the process mining challenges.
    roles(
        "case:concept:name,concept:name,time:timestamp,org:resource\n1,Register,2020-01-01 10:00:00+00:00,Ann\n",
        ", case:concept:name | concept:name | time:timestamp | – | org:resource",
    );
    roles(
        "Case ID,Activity,Resource,Start Timestamp,Complete Timestamp,Variant\n1,Analyze,Kim,2011/01/01 10:37:00.000,2011/01/01 10:45:00.000,v1\n",
        ", Case ID | Activity | Complete Timestamp | Start Timestamp | Resource",
    );
    roles(
        "case_id,activity,timestamp,resource,role\ndeclaration 1,SUBMITTED,2017-01-09T08:49:50.000Z,STAFF,EMPLOYEE\n",
        ", case_id | activity | timestamp | – | resource",
    );
    roles(
        "eventID,case Spend area text,case concept:name,event User,event concept:name,event time:timestamp\n1,CAPEX,200_1,batch_00,SRM: Created,02-01-2018 12:53:00.000\n",
        ", case concept:name | event concept:name | event time:timestamp | – | event User",
    );
    roles(
        "SR Number;Change Date+Time;Status;Sub Status;Owner First Name\n1-364285768;2010-03-31T15:59:42+01:00;Accepted;In Progress;Frederic\n",
        "; SR Number | Status | Change Date+Time | – | Owner First Name",
    );
    // Celonis, SAP tables.
    roles(
        "_CASE_KEY,ACTIVITY_EN,EVENTTIME,_SORTING,USER_NAME\n8001,Create Order,2019-01-01 08:00:00,10,B01\n",
        ", _CASE_KEY | ACTIVITY_EN | EVENTTIME | – | USER_NAME",
    );
    roles(
        "MANDT|VBELN|TCODE|ERDAT|ERNAM\n100|0000004711|VA01|20240201|MUELLER\n100|0000004712|VA02|20240202|MEIER\n",
        "| VBELN | TCODE | ERDAT | – | ERNAM",
    );
    // German.
    roles(
        "Fall-ID;Aktivität;Zeitstempel;Bearbeiter;Betrag\n4711;Bestellung anlegen;01.02.2024 13:45;Müller;1.234,50\n",
        "; Fall-ID | Aktivität | Zeitstempel | – | Bearbeiter",
    );
    roles(
        "Vorgangsnummer\tProzessschritt\tBeginn\tEnde\tMitarbeiter\nA-1\tPrüfen\t01.02.2024 08:00:00\t01.02.2024 09:00:00\tIda\n",
        "\\t Vorgangsnummer | Prozessschritt | Ende | Beginn | Mitarbeiter",
    );
    // A beginning alone is the time of the event.
    roles("case,task,start\n1,a b,2024-01-01\n", ", case | task | start | – | –");
    // No names to go by.
    let mut text = String::from("a,b,c\n");
    for case in 0..20 {
        for step in ["check request", "ask again", "decide"] {
            writeln!(text, "{case},{step},2024-01-{:02}T10:00:00", case + 1).unwrap();
        }
    }
    roles(&text, ", a | b | c | – | –");
    // Nothing of a process.
    roles("sku,price\nA,1.5\nB,2.5\n", ", – | – | – | – | –");
}

#[test]
fn a_german_spreadsheet() {
    check(
        "Fall;Aktivität;Zeit;Betrag;Menge;PLZ;Leer\n1;\"Prüfen; zählen\";01.02.2024 13:45;1.234,50;3;01067;\n1;Zahlen;13.02.2024 09:00;7,5;1.000;10115;\nNA;Zahlen;14.02.2024 09:00;0,75;2;80331;\n",
        expect![[r#"
            CSV orders: 3 rows
            separator Some(";") quote None charset None
            Fall: Text, not all of 3 values seen are numbers or times = Case 90 %, it is called "Fall"
            Aktivität: Text, not all of 3 values seen are numbers or times = Activity 97 %, it is called "Aktivität"
            Zeit: Time, all 3 values seen are dd.MM.yyyy HH:mm = Time 85 %, it is called "Zeit"
            Betrag: Float, all 3 values seen are numbers with `,`
            Menge: Integer, all 3 values seen are whole numbers
            PLZ: Text, not all of 3 values seen are numbers or times
            Leer: Text, it is empty as far as it was seen
        "#]],
    );
}

#[test]
fn what_a_file_says_of_itself_is_read() {
    let latin: Vec<u8> = "Fall;T\u{e4}tigkeit\n1;pr\u{fc}fen\n".chars().map(|letter| letter as u8).collect();
    expect![[r#"
        CSV log: 1 rows
        separator Some(";") quote None charset Some("WINDOWS-1252")
        Fall: Integer, all 1 values seen are whole numbers = Case 90 %, it is called "Fall"
        Tätigkeit: Text, not all of 1 values seen are numbers or times = Activity 90 %, it is called "Tätigkeit"
        warning: it is not UTF-8; it is read as WINDOWS-1252, as spreadsheets write
    "#]]
    .assert_eq(&drawn("log.csv", &latin, &ImportOptions::default()));
    let wide: Vec<u8> = "case\tactivity\n1\tprüfen\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    expect![[r#"
        CSV log: 1 rows
        separator Some("\t") quote None charset Some("UTF-16LE")
        case: Integer, all 1 values seen are whole numbers = Case 95 %, it is called "case"
        activity: Text, not all of 1 values seen are numbers or times = Activity 97 %, it is called "activity"
    "#]]
    .assert_eq(&drawn("log.txt", &wide, &ImportOptions::default()));
    check(
        "\u{feff}id,when\n1,2024-01-01\n",
        expect![[r#"
        CSV orders: 1 rows
        separator Some(",") quote None charset None
        id: Integer, all 1 values seen are whole numbers
        when: Time, all 1 values seen are ISO 8601
    "#]],
    );
    check(
        "id,what\n1,'a, b'\n2,'c, d'\n3,'e, f'\n",
        expect![[r#"
        CSV orders: 3 rows
        separator Some(",") quote Some("'") charset None
        id: Integer, all 3 values seen are whole numbers
        what: Text, not all of 3 values seen are numbers or times
    "#]],
    );
    check(
        "id,what\n1,\"say \\\"hi\\\", please\"\n2,\"x\"\n",
        expect![[r#"
        CSV orders: 2 rows
        separator Some(",") quote None charset None
        id: Integer, all 2 values seen are whole numbers
        what: Text, not all of 2 values seen are numbers or times
    "#]],
    );
    check(
        "only\n1\n2\n",
        expect![[r"
        CSV orders: 2 rows
        separator None quote None charset None
        only: Integer, all 2 values seen are whole numbers
        warning: it has one column: if that is wrong, say what separates the fields
    "]],
    );
}

#[test]
fn days_and_months_are_told_apart_where_they_can_be() {
    check(
        "id,date\n1,01/13/2024\n2,02/03/2024\n",
        expect![[r#"
        CSV orders: 2 rows
        separator Some(",") quote None charset None
        id: Integer, all 2 values seen are whole numbers
        date: Time, all 2 values seen are MM/dd/yyyy = Time 85 %, it is called "date"
    "#]],
    );
    check(
        "id,date\n1,13/01/2024\n2,02/03/2024\n",
        expect![[r#"
        CSV orders: 2 rows
        separator Some(",") quote None charset None
        id: Integer, all 2 values seen are whole numbers
        date: Time, all 2 values seen are dd/MM/yyyy = Time 85 %, it is called "date"
    "#]],
    );
    check(
        "id,date\n1,01/02/2024\n2,02/03/2024\n",
        expect![[r#"
        CSV orders: 2 rows
        separator Some(",") quote None charset None
        id: Integer, all 2 values seen are whole numbers
        date: Time, all 2 values seen are MM/dd/yyyy = Time 85 %, it is called "date"
        warning: column "date" could be MM/dd/yyyy or dd/MM/yyyy: it is taken for MM/dd/yyyy
    "#]],
    );
    check(
        "id,count\n1,20240102\n2,20240103\n",
        expect![[r#"
        CSV orders: 2 rows
        separator Some(",") quote None charset None
        id: Integer, all 2 values seen are whole numbers
        count: Integer, all 2 values seen are whole numbers
    "#]],
    );
}

#[test]
fn numbers_are_read_as_they_are_written() {
    check(
        "id;a;b;c\n1;1.234;1,5;1.5\n2;2.345;2,5;2.5\n",
        expect![[r#"
        CSV orders: 2 rows
        separator Some(";") quote None charset None
        id: Integer, all 2 values seen are whole numbers
        a: Integer, all 2 values seen are whole numbers
        b: Float, all 2 values seen are numbers with `,`
        c: Float, all 2 values seen are numbers
    "#]],
    );
    check(
        "id,a,b\n1,\"1,234.50\",1'234.5\n2,\"7,000\",2'000\n",
        expect![[r#"
        CSV orders: 2 rows
        separator Some(",") quote None charset None
        id: Integer, all 2 values seen are whole numbers
        a: Float, all 2 values seen are numbers
        b: Float, all 2 values seen are numbers
    "#]],
    );
}

#[test]
fn what_a_person_says_wins() {
    let options = ImportOptions {
        table: Some("Orders".into()),
        keys: vec!["id".into()],
        columns: vec![
            super::super::ColumnChoice {
                name: "a".into(),
                rename: Some("Id".into()),
                column_type: Some(ColumnType::Text),
                ..Default::default()
            },
            super::super::ColumnChoice { name: "C".into(), skip: true, ..Default::default() },
        ],
        activity: Some("b".into()),
        ..ImportOptions::default()
    };
    let preview = looked("x.csv", b"a,b,c\n1,2,3\n", &options).unwrap();
    let columns: Vec<_> =
        preview.tables[0].columns.iter().map(|column| (column.target.as_deref(), column.column_type)).collect();
    assert_eq!(preview.tables[0].table, "Orders");
    assert_eq!(
        columns,
        [(Some("Id"), ColumnType::Text), (Some("b"), ColumnType::Integer), (None, ColumnType::Integer)]
    );
    assert_eq!(preview.tables[0].column_with(Role::Activity), Some("b"));
    let wrong = ImportOptions { case: Some("order".into()), ..ImportOptions::default() };
    expect![[r#"refused: the import cannot be made: there is no column "order"; there are "a", "b""#]]
        .assert_eq(&drawn("x.csv", b"a,b\n1,2\n", &wrong));
    let twice = ImportOptions {
        columns: vec![super::super::ColumnChoice { name: "a".into(), rename: Some("B".into()), ..Default::default() }],
        ..ImportOptions::default()
    };
    expect![[r#"refused: the import cannot be made: columns "a" and "b" would both be called "b""#]].assert_eq(&drawn(
        "x.csv",
        b"a,b\n1,2\n",
        &twice,
    ));
}

#[test]
fn rows_of_a_long_file_are_estimated() {
    let mut text = String::from("case,activity\n");
    for row in 0..50_000 {
        writeln!(text, "{row},do the same again").unwrap();
    }
    let table = looked("x.csv", text.as_bytes(), &ImportOptions::default()).unwrap().tables.remove(0);
    let rows = table.rows.unwrap();
    assert!(!table.exact && (45_000..60_000).contains(&rows), "{rows} rows");
}

proptest! {
    #[test]
    fn the_separator_of_a_written_file_is_found(
        separator in prop::sample::select(vec![",", ";", "\t", "|"]),
        rows in prop::collection::vec(("[0-9]{1,4}", "[a-z ,;|\"]{1,12}", "[A-Z]{1,6}"), 3..30),
    ) {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut text = format!("id{separator}note{separator}kind\n");
        for (id, note, kind) in &rows {
            writeln!(text, "{id}{separator}{}{separator}{kind}", quoted(note)).unwrap();
        }
        let preview = looked("x.csv", text.as_bytes(), &ImportOptions::default()).unwrap();
        prop_assert_eq!(preview.csv.separator.as_deref(), Some(separator));
        prop_assert_eq!(preview.tables[0].rows, Some(rows.len() as u64));
        for (row, (id, note, kind)) in preview.tables[0].first.iter().zip(&rows) {
            prop_assert_eq!(row, &[Some(id.clone()), Some(note.clone()), Some(kind.clone())]);
        }
    }
}
