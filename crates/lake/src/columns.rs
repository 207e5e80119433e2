//! Rows as bytes, the way the log holds them.
//!
//! ```text
//! rows   = count u32, columns u16, column*
//! column = name text, type u8, form u8, [validity bytes], values
//! text   = length u32, UTF-8 bytes
//! ```
//!
//! All numbers are little endian. Validity is there if the form says so, one
//! bit per row. Values are plain, except that a column in which nothing is has
//! none, integers and times that advance by the same step are their first
//! value and the step (`_seq` and the change date shrink to sixteen bytes),
//! and codes of texts take as many bytes as the dictionary needs.

use std::sync::Arc;

use pools::Rows;
use pools::rows::{Bits, Column, ColumnType, Dictionary, Values};

/// Says that bytes are not what the format asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Reads bytes from front to back and never beyond their end.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(Malformed("it ends too early"))?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.bytes(N)?.try_into().expect("as many bytes as asked for"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn id(&mut self) -> Result<[u8; 16], Malformed> {
        self.array()
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u32()? as usize;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| Malformed("a text is not UTF-8"))
    }
}

/// Adds a text with its length.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

const PARTLY_EMPTY: u8 = 1;
const ALL_EMPTY: u8 = 2;
const STEPPED: u8 = 4;

/// Adds rows.
pub(crate) fn write_rows(rows: &Rows, out: &mut Vec<u8>) {
    out.extend((rows.len() as u32).to_le_bytes());
    out.extend((rows.columns().len() as u16).to_le_bytes());
    for column in rows.columns() {
        write_column(column, rows.len(), out);
    }
}

fn write_column(column: &Column, count: usize, out: &mut Vec<u8>) {
    write_text(&column.name, out);
    out.push(code_of(column.values.column_type()));
    let filled = column.validity.as_ref().map_or(count, |bits| (0..count).filter(|row| bits.get(*row)).count());
    if filled == 0 && count > 0 {
        out.push(ALL_EMPTY);
        return;
    }
    let step = match &column.values {
        Values::Integer(values) | Values::Time(values) => step_of(values),
        _ => None,
    };
    let validity = column.validity.as_ref().filter(|_| filled < count);
    let mut form = 0;
    if validity.is_some() {
        form |= PARTLY_EMPTY;
    }
    if step.is_some() {
        form |= STEPPED;
    }
    out.push(form);
    if let Some(bits) = validity {
        out.extend(&bits.bytes()[..count.div_ceil(8)]);
    }
    match &column.values {
        Values::Integer(values) | Values::Time(values) => match step {
            Some(step) => out.extend([values[0].to_le_bytes(), step.to_le_bytes()].as_flattened()),
            None => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        },
        Values::Float(values) => out.extend(values.iter().flat_map(|value| value.to_bits().to_le_bytes())),
        Values::Boolean(bits) => out.extend(&bits.bytes()[..count.div_ceil(8)]),
        Values::Text { codes, dictionary } => {
            out.extend((dictionary.len() as u32).to_le_bytes());
            for code in 0..dictionary.len() {
                write_text(dictionary.text(code as u32), out);
            }
            match code_width(dictionary.len()) {
                1 => out.extend(codes.iter().map(|code| *code as u8)),
                2 => out.extend(codes.iter().flat_map(|code| (*code as u16).to_le_bytes())),
                _ => out.extend(codes.iter().flat_map(|code| code.to_le_bytes())),
            }
        }
    }
}

/// Returns the step by which each value exceeds the one before, if it is the
/// same all along and saves room.
fn step_of(values: &[i64]) -> Option<i64> {
    let [first, second, _, ..] = values else { return None };
    let step = second.checked_sub(*first)?;
    let even = values.windows(2).all(|pair| pair[1].checked_sub(pair[0]) == Some(step));
    even.then_some(step)
}

fn code_width(texts: usize) -> usize {
    match texts {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

/// Reads rows that [`write_rows`] wrote.
pub(crate) fn read_rows(reader: &mut Reader<'_>) -> Result<Rows, Malformed> {
    let count = reader.u32()? as usize;
    let columns = reader.u16()?;
    let columns: Result<Vec<_>, _> = (0..columns).map(|_| read_column(reader, count)).collect();
    Ok(Rows::new(columns?))
}

fn read_column(reader: &mut Reader<'_>, count: usize) -> Result<Column, Malformed> {
    let name = reader.text()?.to_owned();
    let column_type = type_of(reader.u8()?)?;
    let form = reader.u8()?;
    if form & ALL_EMPTY != 0 {
        return Ok(empty_column(name, column_type, count));
    }
    let validity = match form & PARTLY_EMPTY {
        0 => None,
        _ => Some(read_bits(reader, count)?),
    };
    let stepped = form & STEPPED != 0;
    let values = match column_type {
        ColumnType::Integer => Values::Integer(read_integers(reader, count, stepped)?),
        ColumnType::Time => Values::Time(read_integers(reader, count, stepped)?),
        ColumnType::Float => {
            let values = reader.bytes(count.saturating_mul(8))?.as_chunks().0.iter();
            Values::Float(values.map(|bytes| f64::from_bits(u64::from_le_bytes(*bytes))).collect())
        }
        ColumnType::Boolean => Values::Boolean(read_bits(reader, count)?),
        ColumnType::Text => read_texts(reader, count)?,
    };
    Ok(Column { name, values, validity })
}

fn read_bits(reader: &mut Reader<'_>, count: usize) -> Result<Bits, Malformed> {
    Ok(Bits::from_bytes(reader.bytes(count.div_ceil(8))?.to_vec(), count))
}

fn read_integers(reader: &mut Reader<'_>, count: usize, stepped: bool) -> Result<Vec<i64>, Malformed> {
    if !stepped {
        let values = reader.bytes(count.saturating_mul(8))?.as_chunks().0.iter();
        return Ok(values.map(|bytes| i64::from_le_bytes(*bytes)).collect());
    }
    let (first, step) = (reader.i64()?, reader.i64()?);
    Ok((0..count as i64).map(|row| first.wrapping_add(step.wrapping_mul(row))).collect())
}

fn read_texts(reader: &mut Reader<'_>, count: usize) -> Result<Values, Malformed> {
    let texts = reader.u32()? as usize;
    let mut dictionary = Dictionary::default();
    for _ in 0..texts {
        dictionary.push(reader.text()?);
    }
    let codes: Vec<u32> = match code_width(texts) {
        1 => reader.bytes(count)?.iter().map(|code| u32::from(*code)).collect(),
        2 => {
            let codes = reader.bytes(count.saturating_mul(2))?.as_chunks().0.iter();
            codes.map(|bytes| u32::from(u16::from_le_bytes(*bytes))).collect()
        }
        _ => {
            let codes = reader.bytes(count.saturating_mul(4))?.as_chunks().0.iter();
            codes.map(|bytes| u32::from_le_bytes(*bytes)).collect()
        }
    };
    if codes.iter().any(|code| *code as usize >= texts) {
        return Err(Malformed("a text's code points nowhere"));
    }
    Ok(Values::Text { codes, dictionary: Arc::new(dictionary) })
}

/// Returns a column in which no row holds a value.
pub(crate) fn empty_column(name: String, column_type: ColumnType, count: usize) -> Column {
    let nothing = || Bits::from_bytes(vec![0; count.div_ceil(8)], count);
    let values = match column_type {
        ColumnType::Integer => Values::Integer(vec![0; count]),
        ColumnType::Time => Values::Time(vec![0; count]),
        ColumnType::Float => Values::Float(vec![0.0; count]),
        ColumnType::Boolean => Values::Boolean(nothing()),
        ColumnType::Text => {
            // A code must point somewhere, also where no value is.
            let mut dictionary = Dictionary::default();
            dictionary.push("");
            Values::Text { codes: vec![0; count], dictionary: Arc::new(dictionary) }
        }
    };
    Column { name, values, validity: (count > 0).then(nothing) }
}

/// Returns the byte that stands for a type.
pub(crate) fn code_of(column_type: ColumnType) -> u8 {
    match column_type {
        ColumnType::Integer => 1,
        ColumnType::Float => 2,
        ColumnType::Time => 3,
        ColumnType::Boolean => 4,
        ColumnType::Text => 5,
    }
}

/// Returns the type that a byte stands for.
pub(crate) fn type_of(code: u8) -> Result<ColumnType, Malformed> {
    Ok(match code {
        1 => ColumnType::Integer,
        2 => ColumnType::Float,
        3 => ColumnType::Time,
        4 => ColumnType::Boolean,
        5 => ColumnType::Text,
        _ => return Err(Malformed("a column is of an unknown type")),
    })
}
