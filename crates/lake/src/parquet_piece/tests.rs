//! Parquet files as people's programs write them.

use arrow::array::*;
use arrow::datatypes::{Float16Type, Int32Type, i256};
use arrow::record_batch::RecordBatch;
use expect_test::{Expect, expect};
use parquet::arrow::ArrowWriter;
use parquet::data_type::{ByteArray, ByteArrayType, Int96, Int96Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use pools::schema::text_of;

use super::*;

fn draw(path: &Path) -> String {
    match ParquetPiece::open(path).and_then(ParquetPiece::rows) {
        Ok(rows) => {
            let columns = rows.columns().iter().map(|column| {
                let cells = (0..rows.len()).map(|row| format!("{} ", text_of(column.cell(row))));
                format!("{} {:?}: {}", column.name, column.values.column_type(), cells.collect::<String>())
            });
            columns.map(|line| format!("{}\n", line.trim_end())).collect()
        }
        Err(TablesError::BadFile { detail, .. }) => format!("refused: {detail}\n"),
        Err(error) => format!("failed: {error}\n"),
    }
}

fn check(columns: Vec<(&str, ArrayRef)>, expected: Expect) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.expect("columns of one length");
    // Two rows to a row group, so that there are several.
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut writer =
        ArrowWriter::try_new(File::create(&path).expect("a file"), batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("rows are written");
    writer.close().expect("a footer is written");
    expected.assert_eq(&draw(&path));
}

#[test]
fn types_become_the_nearest_of_ours() {
    check(
        vec![
            ("i8", Arc::new(Int8Array::from(vec![Some(-1), None, Some(3)]))),
            ("u64", Arc::new(UInt64Array::from(vec![0, 1, i64::MAX as u64]))),
            ("f16", Arc::new(PrimitiveArray::<Float16Type>::from_iter_values([half(1.5), half(0.0), half(-2.0)]))),
            ("f32", Arc::new(Float32Array::from(vec![0.5, 1.0, 2.0]))),
            ("bool", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
            ("text", Arc::new(LargeStringArray::from(vec!["a", "", "Gr\u{fc}\u{df}e"]))),
            ("view", Arc::new(StringViewArray::from(vec!["a", "b", "c"]))),
            ("dictionary", Arc::new(vec!["x", "y", "x"].into_iter().collect::<DictionaryArray<Int32Type>>())),
            ("binary", Arc::new(BinaryArray::from(vec![&b"a"[..], b"b", b"c"]))),
        ],
        expect![[r"
            i8 Integer: -1  3
            u64 Integer: 0 1 9223372036854775807
            f16 Float: 1.5 0.0 -2.0
            f32 Float: 0.5 1.0 2.0
            bool Boolean: true  false
            text Text: a  Grüße
            view Text: a b c
            dictionary Text: x y x
            binary Text: a b c
        "]],
    );
}

#[test]
fn times_of_every_unit_and_zone_are_utc() {
    check(
        vec![
            ("date", Arc::new(Date32Array::from(vec![0, 20_454, 2_932_896]))),
            ("date64", Arc::new(Date64Array::from(vec![0, 86_400_000, 0]))),
            ("s", Arc::new(TimestampSecondArray::from(vec![0, 1, 2]))),
            ("ms", Arc::new(TimestampMillisecondArray::from(vec![0, 1, 2]))),
            ("us", Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 2]).with_timezone("UTC"))),
            ("ns", Arc::new(TimestampNanosecondArray::from(vec![0, 1_000, 2_999]).with_timezone("+02:00"))),
            ("time", Arc::new(Time64MicrosecondArray::from(vec![0, 1_000_000, 3_600_000_000]))),
        ],
        expect![[r"
            date Time: 1970-01-01T00:00:00.000Z 2026-01-01T00:00:00.000Z 253402214400000000us
            date64 Time: 1970-01-01T00:00:00.000Z 1970-01-02T00:00:00.000Z 1970-01-01T00:00:00.000Z
            s Time: 1970-01-01T00:00:00.000Z 1970-01-01T00:00:01.000Z 1970-01-01T00:00:02.000Z
            ms Time: 1970-01-01T00:00:00.000Z 1970-01-01T00:00:00.001Z 1970-01-01T00:00:00.002Z
            us Time: 1970-01-01T00:00:00.000Z 1970-01-01T00:00:00.000001Z 1970-01-01T00:00:00.000002Z
            ns Time: 1970-01-01T00:00:00.000Z 1970-01-01T00:00:00.000001Z 1970-01-01T00:00:00.000002Z
            time Text: 00:00:00 00:00:01 01:00:00
        "]],
    );
}

#[test]
fn what_would_lose_something_is_refused_with_the_column_and_the_mend() {
    let decimal = Decimal128Array::from(vec![12_345]).with_precision_and_scale(10, 2).expect("it fits");
    check(
        vec![("Id", Arc::new(Int32Array::from(vec![1]))), ("Net", Arc::new(decimal))],
        expect![[r#"
        refused: column "Net" is of type Decimal128(10, 2): write it as a double, or as text where every digit counts
    "#]],
    );
    let wide = Decimal256Array::from(vec![i256::from_i128(1)]).with_precision_and_scale(60, 0).expect("it fits");
    check(
        vec![("Net", Arc::new(wide))],
        expect![[r#"
        refused: column "Net" is of type Decimal256(60, 0): write it as a double, or as text where every digit counts
    "#]],
    );
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
    check(
        vec![("Items", Arc::new(list))],
        expect![[r#"
        refused: column "Items" is of type List(Int32): flatten it into columns of single values, or write it as JSON text
    "#]],
    );
    let city: ArrayRef = Arc::new(StringArray::from(vec!["Ulm"]));
    let nested = StructArray::try_from(vec![("City", city)]).expect("one column");
    check(
        vec![("Address", Arc::new(nested))],
        expect![[r#"
        refused: column "Address" is of type Struct("City": non-null Utf8): flatten it into columns of single values, or write it as JSON text
    "#]],
    );
    check(
        vec![("u64", Arc::new(UInt64Array::from(vec![u64::MAX])))],
        expect![[r#"
        refused: column "u64": Cast error: Can't cast value 18446744073709551615 to type Int64
    "#]],
    );
    check(
        vec![("binary", Arc::new(BinaryArray::from(vec![&[0xff, 0xfe][..]])))],
        expect![[r#"
        refused: column "binary": Invalid argument error: Encountered non UTF-8 data: invalid utf-8 sequence of 1 bytes from index 0
    "#]],
    );
    let one: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    check(
        vec![("Id", one.clone()), ("ID", one)],
        expect![[r#"
        refused: it has two columns called "ID"
    "#]],
    );
}

#[test]
fn a_file_without_rows_still_has_its_columns() {
    check(
        vec![("Id", Arc::new(Int32Array::from(Vec::<i32>::new())))],
        expect![[r"
        Id Integer:
    "]],
    );
}

#[test]
fn old_times_and_texts_without_a_mark_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    let schema = parse_message_type("message m { required int96 At; required binary Name; }").expect("a schema");
    let file = File::create(&path).expect("a file");
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::default()).expect("a writer");
    let mut group = writer.next_row_group().expect("a row group");
    let mut column = group.next_column().expect("no failure").expect("a first column");
    // The days are Julian: 1970-01-01, and the end of 9999.
    let mut never = Int96::new();
    never.set_data(0, 0, 2_440_588 + 2_932_896);
    let mut first = Int96::new();
    first.set_data(1_000, 0, 2_440_588);
    column.typed::<Int96Type>().write_batch(&[first, never], None, None).expect("values");
    column.close().expect("a whole column");
    let mut column = group.next_column().expect("no failure").expect("a second column");
    let names = [ByteArray::from("a"), ByteArray::from("b")];
    column.typed::<ByteArrayType>().write_batch(&names, None, None).expect("values");
    column.close().expect("a whole column");
    group.close().expect("a whole group");
    writer.close().expect("a footer");
    expect![[r"
        At Time: 1970-01-01T00:00:00.000001Z 253402214400000000us
        Name Text: a b
    "]]
    .assert_eq(&draw(&path));
}

#[test]
fn what_is_not_whole_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    for (bytes, expected) in [
        (
            &b""[..],
            expect![[r"
            refused: EOF: Parquet file too small. Size is 0 but need 8
        "]],
        ),
        (
            b"PAR1",
            expect![[r"
            refused: EOF: Parquet file too small. Size is 4 but need 8
        "]],
        ),
        (
            b"PAR1 and then the connection broke off",
            expect![[r"
            refused: Parquet error: Invalid Parquet file. Corrupt footer
        "]],
        ),
    ] {
        std::fs::write(&path, bytes).expect("a file");
        expected.assert_eq(&draw(&path));
    }
}

fn half(value: f32) -> <Float16Type as arrow::datatypes::ArrowPrimitiveType>::Native {
    <Float16Type as arrow::datatypes::ArrowPrimitiveType>::Native::from_f32(value)
}
