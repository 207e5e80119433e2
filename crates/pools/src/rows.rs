//! Rows without Arrow.
//!
//! The rows that travel between `pools`, `lake` and `mining` are typed columns
//! with validity. Their buffers are laid out as Arrow lays them out, so that
//! `lake` wraps them without copying, yet nobody above has to compile Arrow.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a column holds. Every column may also hold nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// 64-bit integers.
    Integer,
    /// Doubles.
    Float,
    /// Points in time: microseconds since 1970, UTC.
    Time,
    /// True or false.
    Boolean,
    /// Text, dictionary-encoded.
    Text,
}

/// A column's name and type. Names keep their case and match without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSchema {
    /// As first written.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// A table's columns in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Columns in order, no two names equal without case.
    pub columns: Vec<ColumnSchema>,
}

impl Schema {
    /// Returns the 0-based place of a column, ignoring case.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// One bit per row, least significant bit first, as Arrow has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    bytes: Vec<u8>,
    length: usize,
}

impl Bits {
    /// Adds a bit.
    pub fn push(&mut self, bit: bool) {
        if self.length.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if bit {
            self.bytes[self.length / 8] |= 1 << (self.length % 8);
        }
        self.length += 1;
    }

    /// Makes so many bits that are all set.
    fn ones(length: usize) -> Self {
        let mut bytes = vec![0xff; length.div_ceil(8)];
        if let (Some(last), used @ 1..) = (bytes.last_mut(), length % 8) {
            *last = 0xff >> (8 - used);
        }
        Bits { bytes, length }
    }

    /// Returns the bit at a 0-based place.
    pub fn get(&self, place: usize) -> bool {
        assert!(place < self.length, "bit {place} of {}", self.length);
        self.bytes[place / 8] >> (place % 8) & 1 == 1
    }

    /// Returns how many bits there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns the bytes; bits after the last are zero.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Makes bits from bytes as Arrow has them.
    pub fn from_bytes(bytes: Vec<u8>, length: usize) -> Self {
        assert!(bytes.len() * 8 >= length, "{length} bits need more than {} bytes", bytes.len());
        Bits { bytes, length }
    }
}

impl FromIterator<bool> for Bits {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        let mut all = Bits::default();
        for bit in bits {
            all.push(bit);
        }
        all
    }
}

/// The distinct texts of a column: one run of UTF-8 bytes and where each text
/// ends in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    /// `offsets[i]..offsets[i + 1]` is text `i`; one longer than the number of
    /// texts, or empty for none.
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

impl Dictionary {
    /// Adds a text and returns its code. The caller sees to it that no text is
    /// added twice; see [`ColumnBuilder`].
    pub fn push(&mut self, text: &str) -> u32 {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        self.offsets.push(i32::try_from(self.bytes.len()).expect("a dictionary holds at most 2 GiB of text"));
        (self.offsets.len() - 2) as u32
    }

    /// Returns the text of a code.
    pub fn text(&self, code: u32) -> &str {
        let code = code as usize;
        let bytes = &self.bytes[self.offsets[code] as usize..self.offsets[code + 1] as usize];
        std::str::from_utf8(bytes).expect("only whole texts are added")
    }

    fn bytes_of(&self, code: u32) -> &[u8] {
        let code = code as usize;
        &self.bytes[self.offsets[code] as usize..self.offsets[code + 1] as usize]
    }

    /// Returns how many texts there are.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns offsets and bytes as Arrow has them.
    pub fn buffers(&self) -> (&[i32], &[u8]) {
        (&self.offsets, &self.bytes)
    }
}

/// The values of a column. Where validity is off, the value is a zero.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 64-bit integers.
    Integer(Vec<i64>),
    /// Doubles.
    Float(Vec<f64>),
    /// Microseconds since 1970, UTC.
    Time(Vec<i64>),
    /// One bit each.
    Boolean(Bits),
    /// Codes into a dictionary.
    Text {
        /// One per row.
        codes: Vec<u32>,
        /// The distinct texts.
        dictionary: Arc<Dictionary>,
    },
}

impl Values {
    /// Returns how many values there are.
    pub fn len(&self) -> usize {
        match self {
            Values::Integer(values) | Values::Time(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Boolean(bits) => bits.len(),
            Values::Text { codes, .. } => codes.len(),
        }
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns what the values are.
    pub fn column_type(&self) -> ColumnType {
        match self {
            Values::Integer(_) => ColumnType::Integer,
            Values::Float(_) => ColumnType::Float,
            Values::Time(_) => ColumnType::Time,
            Values::Boolean(_) => ColumnType::Boolean,
            Values::Text { .. } => ColumnType::Text,
        }
    }
}

/// A column with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// As the table writes it.
    pub name: String,
    /// Its values.
    pub values: Values,
    /// Which rows hold a value; `None` if all do.
    pub validity: Option<Bits>,
}

/// One value, for the places that look at single rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double.
    Float(f64),
    /// Microseconds since 1970, UTC.
    Time(i64),
    /// True or false.
    Boolean(bool),
    /// A text.
    Text(&'a str),
}

impl Column {
    /// Returns the value of a row.
    pub fn cell(&self, row: usize) -> Cell<'_> {
        if self.validity.as_ref().is_some_and(|bits| !bits.get(row)) {
            return Cell::Null;
        }
        match &self.values {
            Values::Integer(values) => Cell::Integer(values[row]),
            Values::Float(values) => Cell::Float(values[row]),
            Values::Time(values) => Cell::Time(values[row]),
            Values::Boolean(bits) => Cell::Boolean(bits.get(row)),
            Values::Text { codes, dictionary } => Cell::Text(dictionary.text(codes[row])),
        }
    }
}

/// Columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    columns: Vec<Column>,
    length: usize,
}

impl Rows {
    /// Puts columns together; they must be equally long.
    pub fn new(columns: Vec<Column>) -> Self {
        let length = columns.first().map_or(0, |column| column.values.len());
        for column in &columns {
            assert_eq!(column.values.len(), length, "column \"{}\" has another length", column.name);
        }
        Rows { columns, length }
    }

    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns the columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Takes the rows apart, so that each column can go on its own.
    pub fn into_columns(self) -> Vec<Column> {
        self.columns
    }

    /// Returns a column by name, ignoring case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Copies the first rows, at most so many.
    pub fn first(&self, count: usize) -> Rows {
        let shorter = |column: &Column| {
            let mut builder = ColumnBuilder::new(column.name.clone(), column.values.column_type());
            (0..self.len().min(count)).for_each(|row| builder.push(column.cell(row)));
            builder.finish()
        };
        Rows::new(self.columns.iter().map(shorter).collect())
    }

    /// Returns names and types.
    pub fn schema(&self) -> Schema {
        let columns = self.columns.iter();
        Schema {
            columns: columns
                .map(|column| ColumnSchema { name: column.name.clone(), column_type: column.values.column_type() })
                .collect(),
        }
    }
}

/// Builds one column row by row.
pub struct ColumnBuilder {
    name: String,
    values: Values,
    /// `None` as long as every row holds a value.
    validity: Option<Bits>,
    codes: Codes,
    /// Code of the text before; neighbours are often equal.
    last: u32,
    dictionary: Dictionary,
}

/// Finds the code of a text that a dictionary holds: an open table of hashes
/// and codes, so that no text is kept twice.
struct Codes {
    /// Hash, and code from 1 on; the length is a power of two.
    slots: Vec<(u32, u32)>,
    count: usize,
    /// Nobody outside knows it, so that nobody can make texts that collide.
    seed: u64,
}

impl Codes {
    fn new() -> Self {
        let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
        Codes { slots: Vec::new(), count: 0, seed }
    }

    /// Returns the code of a text; one that is new is added to the dictionary.
    fn of(&mut self, text: &str, dictionary: &mut Dictionary) -> u32 {
        if self.count * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let hash = self.hash(text.as_bytes());
        let mut place = hash as usize & (self.slots.len() - 1);
        loop {
            match self.slots[place] {
                (_, 0) => {
                    let code = dictionary.push(text);
                    self.slots[place] = (hash, code + 1);
                    self.count += 1;
                    return code;
                }
                (known, code) if known == hash && dictionary.bytes_of(code - 1) == text.as_bytes() => return code - 1,
                _ => place = (place + 1) & (self.slots.len() - 1),
            }
        }
    }

    fn grow(&mut self) {
        let wider = vec![(0, 0); (self.slots.len() * 2).max(64)];
        let before = std::mem::replace(&mut self.slots, wider);
        for (hash, code) in before.into_iter().filter(|(_, code)| *code > 0) {
            let mut place = hash as usize & (self.slots.len() - 1);
            while self.slots[place].1 > 0 {
                place = (place + 1) & (self.slots.len() - 1);
            }
            self.slots[place] = (hash, code);
        }
    }

    /// Folds products of eight bytes each.
    fn hash(&self, bytes: &[u8]) -> u32 {
        let fold = |one: u64, other: u64| {
            let product = u128::from(one) * u128::from(other);
            product as u64 ^ (product >> 64) as u64
        };
        let mut hash = self.seed ^ bytes.len() as u64;
        let mut eights = bytes.chunks_exact(8);
        for eight in &mut eights {
            let eight = u64::from_le_bytes(eight.try_into().expect("eight bytes"));
            hash = fold(hash ^ eight, 0x9e37_79b9_7f4a_7c15);
        }
        let mut last = [0; 8];
        last[..eights.remainder().len()].copy_from_slice(eights.remainder());
        hash = fold(hash ^ u64::from_le_bytes(last), 0xd6e8_feb8_6659_fd93 ^ self.seed);
        (hash ^ (hash >> 32)) as u32
    }
}

impl ColumnBuilder {
    /// Starts a column.
    pub fn new(name: impl Into<String>, column_type: ColumnType) -> Self {
        let values = match column_type {
            ColumnType::Integer => Values::Integer(Vec::new()),
            ColumnType::Float => Values::Float(Vec::new()),
            ColumnType::Time => Values::Time(Vec::new()),
            ColumnType::Boolean => Values::Boolean(Bits::default()),
            ColumnType::Text => Values::Text { codes: Vec::new(), dictionary: Arc::default() },
        };
        ColumnBuilder {
            name: name.into(),
            values,
            validity: None,
            codes: Codes::new(),
            last: 0,
            dictionary: Dictionary::default(),
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// If the value is of another type than the column; integers are taken by
    /// float columns.
    pub fn push(&mut self, cell: Cell<'_>) {
        if let Some(validity) = &mut self.validity {
            validity.push(cell != Cell::Null);
        } else if cell == Cell::Null {
            let mut validity = Bits::ones(self.values.len());
            validity.push(false);
            self.validity = Some(validity);
        }
        match (&mut self.values, cell) {
            (Values::Integer(values), Cell::Integer(value)) | (Values::Time(values), Cell::Time(value)) => {
                values.push(value);
            }
            (Values::Integer(values) | Values::Time(values), Cell::Null) => values.push(0),
            (Values::Float(values), Cell::Float(value)) => values.push(value),
            (Values::Float(values), Cell::Integer(value)) => values.push(value as f64),
            (Values::Float(values), Cell::Null) => values.push(0.0),
            (Values::Boolean(bits), Cell::Boolean(value)) => bits.push(value),
            (Values::Boolean(bits), Cell::Null) => bits.push(false),
            (Values::Text { codes, .. }, Cell::Text(text)) => {
                let as_before = !self.dictionary.is_empty() && self.dictionary.bytes_of(self.last) == text.as_bytes();
                if !as_before {
                    self.last = self.codes.of(text, &mut self.dictionary);
                }
                codes.push(self.last);
            }
            (Values::Text { codes, .. }, Cell::Null) => {
                // A code must point somewhere, also where no value is.
                if self.dictionary.is_empty() {
                    self.codes.of("", &mut self.dictionary);
                }
                codes.push(0);
            }
            (values, cell) => panic!("a {cell:?} does not belong into a column of {:?}", values.column_type()),
        }
    }

    /// Ends the column.
    pub fn finish(self) -> Column {
        let values = match self.values {
            Values::Text { codes, .. } => Values::Text { codes, dictionary: Arc::new(self.dictionary) },
            other => other,
        };
        Column { name: self.name, values, validity: self.validity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_texts_have_a_code_each_and_keep_it() {
        let mut builder = ColumnBuilder::new("Name", ColumnType::Text);
        for round in 0..2 {
            for number in 0..10_000 {
                let text = "x".repeat(number % 20) + &number.to_string();
                builder.push(Cell::Text(&text));
                builder.push(Cell::Text(&text));
            }
            (round == 0).then(|| builder.push(Cell::Null));
        }
        let column = builder.finish();
        let Values::Text { dictionary, .. } = &column.values else { panic!("a text column") };
        assert_eq!((dictionary.len(), column.values.len()), (10_000, 40_001));
        assert_eq!((column.cell(20_000), column.cell(19_999)), (Cell::Null, column.cell(40_000)));
        assert_eq!(
            column.validity.map(|bits| (bits.len(), bits.get(20_000), bits.get(20_001))),
            Some((40_001, false, true))
        );
    }

    #[test]
    fn cells_come_back_as_they_went_in() {
        let cells = [Cell::Text("a"), Cell::Null, Cell::Text("b"), Cell::Text("a")];
        let mut builder = ColumnBuilder::new("Name", ColumnType::Text);
        for cell in cells {
            builder.push(cell);
        }
        let rows = Rows::new(vec![builder.finish()]);
        let column = rows.column("NAME").expect("names match without case");
        assert_eq!((0..4).map(|row| column.cell(row)).collect::<Vec<_>>(), cells);
        let Values::Text { dictionary, .. } = &column.values else { panic!("a text column") };
        assert_eq!(dictionary.len(), 2);
    }
}
