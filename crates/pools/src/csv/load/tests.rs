//! Jobs from their files to their rows.

use std::fmt::Write as _;

use expect_test::{Expect, expect, expect_file};
use proptest::prelude::*;

use super::*;
use crate::CsvOptions;
use crate::push_job::PushType;
use crate::rows::ColumnSchema;

struct Case {
    spec: PushJobSpec,
    table: Option<Schema>,
    chunks: Vec<(ChunkKind, &'static str, Vec<u8>)>,
}

fn case(text: &str) -> Case {
    Case { spec: PushJobSpec::csv("Orders"), table: None, chunks: vec![(ChunkKind::Upsert, "orders.csv", text.into())] }
}

impl Case {
    fn options(mut self, csv: CsvOptions) -> Self {
        self.spec.csv = csv;
        self
    }

    fn declared(mut self, name: &str, column_type: DeclaredType, length: Option<u32>) -> Self {
        self.spec.declared.push(DeclaredColumn { name: name.into(), column_type, length, key: false });
        self
    }

    fn keys(mut self, keys: &[&str]) -> Self {
        self.spec.keys = keys.iter().map(|key| (*key).into()).collect();
        self
    }

    fn table(mut self, columns: &[(&str, ColumnType)]) -> Self {
        let columns =
            columns.iter().map(|(name, column_type)| ColumnSchema { name: (*name).into(), column_type: *column_type });
        self.table = Some(Schema { columns: columns.collect() });
        self
    }

    fn chunk(mut self, kind: ChunkKind, name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        self.chunks.push((kind, name, bytes.into()));
        self
    }

    fn load(&self) -> (Vec<Piece>, Result<Vec<String>, Refusal>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut files = Vec::new();
        for (place, (kind, name, bytes)) in self.chunks.iter().enumerate() {
            let path = folder.path().join(place.to_string());
            std::fs::write(&path, bytes).expect("a file can be written");
            files.push(ChunkFile {
                kind: *kind,
                name: (*name).into(),
                path,
                read: crate::import::BytesRead::default(),
            });
        }
        let mut pieces = Vec::new();
        let outcome = load(&self.spec, &files, self.table.as_ref(), |piece| {
            pieces.push(piece);
            Ok(())
        });
        (pieces, outcome)
    }

    fn check(&self, expected: Expect) {
        expected.assert_eq(&self.outcome());
    }

    /// Draws what becomes of the job.
    fn outcome(&self) -> String {
        let (pieces, outcome) = self.load();
        let mut out = String::new();
        for piece in &pieces {
            draw(piece, &mut out);
        }
        match outcome {
            Ok(notes) => notes.iter().for_each(|note| writeln!(out, "note: {note}").unwrap()),
            Err(Refusal::Rows(sentence)) => out = format!("refused: {sentence}\n"),
            Err(Refusal::Stopped) => out.push_str("stopped\n"),
        }
        out
    }
}

fn draw(piece: &Piece, out: &mut String) {
    let (Piece::Upsert(rows) | Piece::Delete(rows)) = piece else { panic!("CSV becomes rows") };
    let schema = rows.schema();
    let header = schema.columns.iter().map(|column| format!("{} {:?}", column.name, column.column_type).to_lowercase());
    let kind = if matches!(piece, Piece::Delete(_)) { "delete" } else { "upsert" };
    writeln!(out, "{kind} {}", header.collect::<Vec<_>>().join(", ")).unwrap();
    for row in 0..rows.len() {
        let cells = rows.columns().iter().map(|column| match column.cell(row) {
            Cell::Null => "-".to_owned(),
            Cell::Text(text) => format!("{text:?}"),
            cell => crate::schema::text_of(cell),
        });
        writeln!(out, "  {}", cells.collect::<Vec<_>>().join(" ")).unwrap();
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn semicolons() -> CsvOptions {
    CsvOptions { separator: some(";"), ..CsvOptions::default() }
}

#[test]
fn a_plain_file() {
    case("Order ID,Amount,Placed,Note\n1,2.5,2026-02-03,\"a, b\"\n2,,2026-02-04T10:00:00Z,NA\n").check(expect![[r#"
        upsert order id integer, amount float, placed time, note text
          1 2.5 2026-02-03T00:00:00.000Z "a, b"
          2 - 2026-02-04T10:00:00.000Z "NA"
    "#]]);
}

#[test]
fn the_values_of_the_guide_load() {
    let guide = CsvOptions {
        separator: some(","),
        decimal_separator: some(";"),
        line_ending: some("\\r"),
        date_format: some("hh:mm:ss"),
        ..CsvOptions::default()
    };
    case("Order ID,Requested Delivery Date\r4711,2026-02-03\r4712,2026-02-04").options(guide).check(expect![[r#"
        upsert order id integer, requested delivery date text
          4711 "2026-02-03"
          4712 "2026-02-04"
        note: column "Requested Delivery Date" is kept as text: dateFormat "hh:mm:ss" does not fit its values
    "#]]);
}

#[test]
fn a_wrong_separator_loads_as_one_column_and_is_suspected() {
    case("Id;Name\n1;a\n").check(expect![[r#"
        upsert id;name text
          "1;a"
        note: one column, its header contains `;`: check separatorSequence
    "#]]);
}

#[test]
fn rows_may_be_short_but_not_long() {
    case("a,b,c\n1,2,3\n4,5\n6\n").check(expect![[r#"
        upsert a integer, b integer, c integer
          1 2 3
          4 5 -
          6 - -
        note: file "orders.csv": 2 rows have fewer fields than the header, the first in line 3; what is missing is empty
    "#]]);
    case("a,b\n1,\"two\nlines\"\n1,2,too many\n").check(expect![[r#"
        refused: file "orders.csv", line 4, column 3: the row has 3 fields where the header has 2; "too many" is one too many
    "#]]);
}

#[test]
fn declared_types_bind() {
    case("Id,Amount,When\n007,1,2026-02-03\n008,abc,2026-02-03\n")
        .declared("id", DeclaredType::String, None)
        .declared("Amount", DeclaredType::Float, None)
        .check(expect![[r#"
            refused: file "orders.csv", line 3, column 2 ("Amount"): "abc" is not a FLOAT, as tableSchema declares it
        "#]]);
    case("Id,Flag,Count,Day\n007,yes,5.0,2026-02-03\n,0,+6,\n")
        .declared("Id", DeclaredType::String, None)
        .declared("Flag", DeclaredType::Boolean, None)
        .declared("Count", DeclaredType::Integer, None)
        .declared("Day", DeclaredType::Date, None)
        .declared("Gone", DeclaredType::Date, None)
        .check(expect![[r#"
            upsert id text, flag boolean, count integer, day time
              "007" true 5 2026-02-03T00:00:00.000Z
              - false 6 -
            note: column "Gone" of tableSchema is in no chunk
        "#]]);
}

#[test]
fn texts_are_cut_only_where_a_length_was_asked_for() {
    let mut cut = case("Id,Name,Note\n1,Größe,abcdef\n2,ab,abcdefg\n").declared("Name", DeclaredType::String, Some(3));
    cut.spec.fallback_varchar_length = Some(5);
    cut.check(expect![[r#"
        upsert id integer, name text, note text
          1 "Grö" "abcde"
          2 "ab" "abcde"
        note: column "Name": 1 texts were cut to 3 letters, as was asked
        note: column "Note": 2 texts were cut to 5 letters, as was asked
    "#]]);
}

#[test]
fn the_table_is_respected_and_widened() {
    case("id,amount,name\n4711,7,5\n")
        .table(&[("ID", ColumnType::Text), ("Amount", ColumnType::Float), ("Name", ColumnType::Time)])
        .check(expect![[r#"
            upsert id text, amount float, name text
              "4711" 7.0 "5"
            note: column "Name" of type time becomes text: "5" does not fit
        "#]]);
    let german = CsvOptions { date_format: some("dd.MM.yyyy"), ..CsvOptions::default() };
    case("When\n03.02.2026\n2026-02-04\n").options(german).table(&[("When", ColumnType::Time)]).check(expect![[r"
        upsert when time
          2026-02-03T00:00:00.000Z
          2026-02-04T00:00:00.000Z
    "]]);
}

#[test]
fn types_are_guessed_over_all_chunks_and_each_keeps_its_columns() {
    case("Id,A\n1,x\n").chunk(ChunkKind::Upsert, "more.csv", "a,ID,B\ny,A-12,2\n").check(expect![[r#"
        upsert id text, a text
          "1" "x"
        upsert a text, id text, b integer
          "y" "A-12" 2
    "#]]);
}

#[test]
fn deletes_name_keys_and_nothing_else() {
    case("Id,A\n1,x\n").keys(&["ID"]).chunk(ChunkKind::Delete, "gone.csv", "A,Id\nwhatever,2\nwhatever,A-12\n").check(
        expect![[r#"
            upsert id integer, a text
              1 "x"
            delete id integer
              2
            note: file "gone.csv": 1 keys to delete cannot be in the table and were left out
        "#]],
    );
    case("A\nx\n").keys(&["Id"]).check(expect![[r#"
        refused: file "orders.csv": key column "Id" is missing; there are "A"
    "#]]);
    let mut replace = case("A\nx\n").keys(&["Id"]);
    replace.spec.job_type = PushType::Replace;
    replace.check(expect![[r#"
        upsert a text
          "x"
    "#]]);
}

#[test]
fn numbers_and_dates_as_a_column_writes_them() {
    let options = CsvOptions {
        decimal_separator: some(","),
        thousand_separator: some("."),
        date_format: some("dd.MM.yyyy"),
        columns: vec![crate::ColumnOptions {
            column: "b".into(),
            decimal_separator: some("."),
            thousand_separator: some(","),
            ..crate::ColumnOptions::default()
        }],
        ..semicolons()
    };
    case("A;B;C;D\n1.234,5;1,234.5;03.02.2026;x\n").options(options).check(expect![[r#"
        upsert a float, b float, c time, d text
          1234.5 1234.5 2026-02-03T00:00:00.000Z "x"
    "#]]);
}

#[test]
fn headers_are_made_whole_or_refused() {
    case(",Name,Name2\n1,a,b\n").check(expect![[r#"
        upsert column_1 integer, name text, name2 text
          1 "a" "b"
    "#]]);
    case("Id,NAME,name\n").check(expect![[r#"
        refused: file "orders.csv": columns 2 and 3 are both named "name"
    "#]]);
    case("Id,_CELONIS_CHANGE_DATE\n1,2026-02-03\n").check(expect![[r#"
        upsert id integer
          1
        note: column "_CELONIS_CHANGE_DATE" is not read: its values are set when rows arrive
    "#]]);
    case("Id,Name\n").check(expect![[r"
        upsert id text, name text
    "]]);
}

#[test]
fn what_is_not_csv_is_refused() {
    case("").check(expect![[r#"
        refused: file "orders.csv": it is empty: a header row is needed
    "#]]);
    case("\n\n").check(expect![[r#"
        refused: file "orders.csv": it is empty: a header row is needed
    "#]]);
    case("a,b\n1,2\n").chunk(ChunkKind::Upsert, "picture", [0x89, b'P', b'N', b'G', 0, 0]).check(expect![[r#"
        refused: file "picture": it is not CSV but binary: it holds zero bytes
    "#]]);
    case("a,b\n1,\"2\n").check(expect![[r#"
        refused: file "orders.csv": a quote that opens in the row that begins in line 2 is never closed
    "#]]);
}

/// Files as people have them: `NAME.csv`, `NAME.json` with the options, and
/// `NAME.rows` with what becomes of them.
#[test]
fn files_as_people_have_them() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/csv");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the folder of the test data") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "csv") {
            names.push(path);
        }
    }
    names.sort();
    assert!(!names.is_empty());
    for path in names {
        let bytes = std::fs::read(&path).expect("a file");
        let mut file = case("");
        file.chunks = vec![(ChunkKind::Upsert, "file.csv", bytes)];
        if let Ok(options) = std::fs::read_to_string(path.with_extension("json")) {
            file.spec.csv = serde_json::from_str(&options).expect("options");
        }
        expect_file![path.with_extension("rows")].assert_eq(&file.outcome());
    }
}

#[test]
fn wide_files_are_files_too() {
    let header: Vec<_> = (0..10_000).map(|number| format!("Column {number}")).collect();
    let row: Vec<_> = (0..10_000).map(|number| number.to_string()).collect();
    let text = format!("{}\n{}\n", header.join(","), row.join(","));
    let (pieces, outcome) = case(&text).load();
    assert_eq!(outcome.map_err(|refusal| format!("{refusal:?}")), Ok(Vec::new()));
    let [Piece::Upsert(rows)] = pieces.as_slice() else { panic!("one piece") };
    assert_eq!((rows.columns().len(), rows.columns()[9_999].cell(0)), (10_000, Cell::Integer(9_999)));
}

#[test]
fn a_field_without_an_end_is_refused_before_it_eats_the_memory() {
    let text = format!("Id,Note\n1,\"{}", "x".repeat(66 << 20));
    case(&text).check(expect![[r#"
        refused: file "orders.csv": the row that begins in line 2 is longer than 64 MiB: is a quote left open?
    "#]]);
}

#[test]
fn the_place_of_what_is_not_utf_8_is_named() {
    Case { chunks: vec![(ChunkKind::Upsert, "orders.csv", b"Id,Name\n1,a\n2,M\xfcnchen\n".to_vec())], ..case("") }
        .check(expect![[r#"
            refused: file "orders.csv": line 3 is not UTF-8 from letter 4 on: say in charSet how the file is encoded
        "#]]);
}

#[test]
fn long_files_come_in_pieces() {
    let mut text = "Id,Name\n".to_owned();
    for row in 0..PIECE_ROWS_MAX + 10 {
        writeln!(text, "{row},name {}", row % 7).unwrap();
    }
    let (pieces, outcome) = case(&text).load();
    assert!(outcome.unwrap().is_empty());
    let lengths = pieces.iter().map(|piece| match piece {
        Piece::Upsert(rows) => rows.len(),
        _ => 0,
    });
    assert_eq!(lengths.collect::<Vec<_>>(), [PIECE_ROWS_MAX, 10]);
}

proptest! {
    #[test]
    fn what_was_written_is_loaded(
        rows in proptest::collection::vec(
            (any::<i64>(), proptest::option::of(-1e9f64..1e9), "[a-z\",\r\n]{1,6}", proptest::option::of(-60_000_000_000i64..253_000_000_000)),
            1..20,
        ),
    ) {
        let mut text = "I,F,S,T\n".to_owned();
        for (integer, float, string, seconds) in &rows {
            let float = float.map_or_else(String::new, |float| format!("{float:?}"));
            let time = seconds.map_or_else(String::new, |seconds| base::Timestamp::from_millis(seconds * 1000).to_string());
            writeln!(text, "{integer},{float},\"{}\",{time}", string.replace('"', "\"\"")).unwrap();
        }
        let case = case(&text).declared("F", DeclaredType::Float, None).declared("T", DeclaredType::DateTime, None);
        let (pieces, outcome) = case.load();
        prop_assert!(outcome.is_ok());
        let [Piece::Upsert(loaded)] = pieces.as_slice() else { panic!("one piece") };
        for (row, (integer, float, string, seconds)) in rows.iter().enumerate() {
            let cells: Vec<_> = loaded.columns().iter().map(|column| column.cell(row)).collect();
            prop_assert_eq!(cells[0], Cell::Integer(*integer));
            prop_assert_eq!(cells[1], float.map_or(Cell::Null, Cell::Float));
            prop_assert_eq!(cells[2], Cell::Text(string));
            prop_assert_eq!(cells[3], seconds.map_or(Cell::Null, |seconds| Cell::Time(seconds * 1_000_000)));
        }
    }
}
