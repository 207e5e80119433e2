//! What a statement in the SQL of Databricks asks for.
//!
//! This is no SQL engine. It knows enough to tell questions from changes, to
//! answer what is about names (`SHOW`, `DESCRIBE`, `USE`), to find the table
//! that a change is about, and to put the rest into words that an engine of
//! standard SQL reads. What it cannot say, it refuses by name.

use super::words::{Word, cut, literal, quoted, written};
use super::{StatementError, Used};

/// A name of one to three parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub Vec<String>);

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// What a statement asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Understood {
    /// Rows.
    Question {
        /// In standard SQL, names as they were.
        statement: String,
    },
    /// A change of a table.
    Change {
        /// What is done to it.
        verb: Change,
        /// The table.
        table: Name,
        /// In standard SQL, the table by its last name only.
        statement: String,
        /// A question stands inside of it.
        asks: bool,
    },
    /// `CREATE SCHEMA`.
    CreateSchema {
        /// Its name.
        name: Name,
        /// Nothing happens if it is there.
        if_not_exists: bool,
    },
    /// `COPY INTO`.
    Copy(Copy),
    /// `SHOW CATALOGS`.
    ShowCatalogs,
    /// `SHOW SCHEMAS`.
    ShowSchemas {
        /// Of which catalog.
        catalog: Option<Name>,
        /// Which, by a pattern with `*` and `|`.
        like: Option<String>,
    },
    /// `SHOW TABLES`.
    ShowTables {
        /// Of which schema.
        schema: Option<Name>,
        /// Which, by a pattern with `*` and `|`.
        like: Option<String>,
    },
    /// `SHOW COLUMNS` or `DESCRIBE`.
    Describe {
        /// The table.
        table: Name,
        /// Only the names of the columns, as `SHOW COLUMNS` has them.
        names_only: bool,
    },
    /// `USE`.
    Use(Used),
}

impl Understood {
    /// Tells whether it changes something.
    pub fn changes(&self) -> bool {
        matches!(self, Understood::Change { .. } | Understood::CreateSchema { .. } | Understood::Copy(_))
    }
}

/// What is done to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `INSERT INTO`.
    Insert,
    /// `CREATE TABLE`.
    Create,
    /// `CREATE OR REPLACE TABLE`.
    Replace,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
    /// `DROP TABLE`.
    Drop,
}

/// `COPY INTO table FROM 'path' FILEFORMAT = …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The table.
    pub table: Name,
    /// A file or folder of a volume.
    pub from: String,
    /// `CSV`, `JSON` or `PARQUET`.
    pub format: String,
    /// Only these files, below `from`.
    pub files: Vec<String>,
    /// Options of the format, names in lower case.
    pub format_options: Vec<(String, String)>,
    /// Options of copying, names in lower case.
    pub copy_options: Vec<(String, String)>,
}

/// Reads a statement.
pub fn understand(statement: &str) -> Result<Understood, StatementError> {
    let words = cut(statement)?;
    let mut reading = Reading { words: &words, at: 0 };
    let Some(first) = reading.peek().cloned() else { return Err(StatementError::bad("there is no statement")) };
    let Word::Plain(keyword) = &first else {
        // A question in brackets.
        return Ok(Understood::Question { statement: written(&words) });
    };
    match keyword.to_ascii_uppercase().as_str() {
        "SELECT" | "WITH" | "VALUES" | "EXPLAIN" => Ok(Understood::Question { statement: written(&words) }),
        "INSERT" => insert(reading),
        "CREATE" => create(reading),
        "UPDATE" => {
            reading.skip("UPDATE");
            let table = reading.name()?;
            Ok(change(Change::Update, table, "UPDATE ", &reading))
        }
        "DELETE" => {
            reading.skip("DELETE");
            reading.must("FROM")?;
            let table = reading.name()?;
            Ok(change(Change::Delete, table, "DELETE FROM ", &reading))
        }
        "TRUNCATE" => {
            reading.skip("TRUNCATE");
            reading.must("TABLE")?;
            let table = reading.name()?;
            reading.end()?;
            Ok(change(Change::Delete, table, "DELETE FROM ", &reading))
        }
        "DROP" => drop_table(reading),
        "COPY" => copy(reading),
        "SHOW" => show(reading),
        "DESCRIBE" | "DESC" => {
            reading.next();
            if reading.skip("QUERY") || reading.skip("HISTORY") || reading.skip("DETAIL") {
                return Err(unsupported("DESCRIBE QUERY, HISTORY and DETAIL", "DESCRIBE a table"));
            }
            let _ = reading.skip("TABLE");
            let _ = reading.skip("EXTENDED") || reading.skip("FORMATTED");
            let table = reading.name()?;
            reading.end()?;
            Ok(Understood::Describe { table, names_only: false })
        }
        "USE" => use_names(reading),
        "MERGE" => Err(unsupported("MERGE", "use INSERT INTO: a table with keys replaces the row that has the key")),
        other => Err(unsupported(other, "it is none of the statements that this workspace knows")),
    }
}

fn unsupported(what: &str, instead: &str) -> StatementError {
    StatementError::unsupported(format!("[UNSUPPORTED_FEATURE] {what}: this workspace does not do that; {instead}"))
}

fn insert(mut reading: Reading<'_>) -> Result<Understood, StatementError> {
    reading.skip("INSERT");
    if reading.skip("OVERWRITE") {
        return Err(unsupported("INSERT OVERWRITE", "write CREATE OR REPLACE TABLE … AS"));
    }
    reading.must("INTO")?;
    let _ = reading.skip("TABLE");
    let table = reading.name()?;
    Ok(change(Change::Insert, table, "INSERT INTO ", &reading))
}

fn create(mut reading: Reading<'_>) -> Result<Understood, StatementError> {
    reading.skip("CREATE");
    let replaces = reading.skip("OR") && reading.skip("REPLACE");
    if reading.skip("SCHEMA") || reading.skip("DATABASE") {
        let if_not_exists = reading.if_not_exists();
        let name = reading.name()?;
        reading.end()?;
        return Ok(Understood::CreateSchema { name, if_not_exists });
    }
    if !reading.skip("TABLE") {
        let what = reading.peek().map(|word| written(std::slice::from_ref(word))).unwrap_or_default();
        return Err(unsupported(
            &format!("CREATE {what}"),
            "CREATE makes a TABLE or a SCHEMA here; a view is made by a data job of its pool",
        ));
    }
    let if_not_exists = reading.if_not_exists();
    let table = reading.name()?;
    let columns = reading.columns()?;
    while reading.skip("USING") {
        let format = reading.word()?;
        if !format.eq_ignore_ascii_case("delta") {
            return Err(unsupported(
                &format!("USING {format}"),
                "tables are kept as Delta: write USING DELTA or nothing",
            ));
        }
    }
    let mut statement = String::from(if replaces { "CREATE OR REPLACE TABLE " } else { "CREATE TABLE " });
    if if_not_exists {
        statement.push_str("IF NOT EXISTS ");
    }
    statement.push_str(&quoted(table.0.last().map_or("", String::as_str)));
    statement.push_str(" AS ");
    let has_query = reading.skip("AS");
    let is_question =
        |word: &Word| ["SELECT", "WITH", "VALUES"].iter().any(|start| word.is(start)) || *word == Word::Sign('(');
    match (has_query || reading.peek().is_some_and(is_question), columns) {
        (true, Some(_)) => {
            return Err(StatementError::bad(
                "CREATE TABLE takes its columns either from a list or from AS SELECT, not from both",
            ));
        }
        (true, None) => statement.push_str(reading.rest().trim_start()),
        (false, Some(columns)) => {
            reading.end_with("tables have no properties, partitions, comments or locations here")?;
            let columns = columns.iter().map(|(name, kind)| format!("CAST(NULL AS {kind}) AS {}", quoted(name)));
            statement.push_str(&format!("SELECT {} WHERE FALSE", columns.collect::<Vec<_>>().join(", ")));
        }
        (false, None) => {
            reading.end_with("tables have no properties, partitions, comments or locations here")?;
            return Err(StatementError::bad(format!(
                "CREATE TABLE {table} needs columns, \"(name TYPE, …)\", or \"AS SELECT …\""
            )));
        }
    }
    let verb = if replaces { Change::Replace } else { Change::Create };
    Ok(Understood::Change { verb, table, statement, asks: has_query })
}

fn drop_table(mut reading: Reading<'_>) -> Result<Understood, StatementError> {
    reading.skip("DROP");
    if !reading.skip("TABLE") {
        return Err(unsupported("DROP of anything but a TABLE", "delete a pool or a view where it is kept"));
    }
    let if_exists = reading.skip("IF") && reading.skip("EXISTS");
    let table = reading.name()?;
    reading.end()?;
    Ok(change(Change::Drop, table, if if_exists { "DROP TABLE IF EXISTS " } else { "DROP TABLE " }, &reading))
}

fn change(verb: Change, table: Name, begin: &str, rest: &Reading<'_>) -> Understood {
    let last = table.0.last().map_or("", String::as_str);
    let asks = rest.words[rest.at..].iter().any(|word| word.is("SELECT"));
    let statement = format!("{begin}{}{}", quoted(last), rest.rest());
    Understood::Change { verb, table, statement, asks }
}

fn copy(mut reading: Reading<'_>) -> Result<Understood, StatementError> {
    reading.skip("COPY");
    reading.must("INTO")?;
    let table = reading.name()?;
    reading.must("FROM")?;
    let Some(Word::Text(from)) = reading.next().cloned() else {
        return Err(unsupported(
            "COPY INTO from anything but a path",
            "write FROM '/Volumes/loopwright/<pool>/<volume>/…'",
        ));
    };
    let mut copy = Copy {
        table,
        from,
        format: String::new(),
        files: Vec::new(),
        format_options: Vec::new(),
        copy_options: Vec::new(),
    };
    while reading.peek().is_some() {
        if reading.skip("FILEFORMAT") {
            reading.sign('=')?;
            copy.format = reading.word()?.to_ascii_uppercase();
        } else if reading.skip("FILES") {
            reading.sign('=')?;
            copy.files = reading.texts()?;
        } else if reading.skip("FORMAT_OPTIONS") {
            copy.format_options = reading.options()?;
        } else if reading.skip("COPY_OPTIONS") {
            copy.copy_options = reading.options()?;
        } else {
            let word = reading.next().map(|word| written(std::slice::from_ref(word))).unwrap_or_default();
            return Err(unsupported(
                &format!("\"{word}\" in COPY INTO"),
                "it takes FILEFORMAT, FILES, FORMAT_OPTIONS and COPY_OPTIONS",
            ));
        }
    }
    if copy.format.is_empty() {
        return Err(StatementError::bad("COPY INTO needs FILEFORMAT = CSV, JSON or PARQUET"));
    }
    Ok(Understood::Copy(copy))
}

fn show(mut reading: Reading<'_>) -> Result<Understood, StatementError> {
    reading.skip("SHOW");
    if reading.skip("CATALOGS") {
        return Ok(Understood::ShowCatalogs);
    }
    if reading.skip("SCHEMAS") || reading.skip("DATABASES") {
        let catalog = reading.inside()?;
        return Ok(Understood::ShowSchemas { catalog, like: reading.like()? });
    }
    if reading.skip("TABLES") {
        let schema = reading.inside()?;
        return Ok(Understood::ShowTables { schema, like: reading.like()? });
    }
    if reading.skip("COLUMNS") {
        let Some(table) = reading.inside()? else {
            return Err(StatementError::bad("SHOW COLUMNS needs IN and a table"));
        };
        let table = match reading.inside()? {
            // The schema may be given apart.
            Some(mut schema) => {
                schema.0.extend(table.0);
                schema
            }
            None => table,
        };
        reading.end()?;
        return Ok(Understood::Describe { table, names_only: true });
    }
    let what = reading.peek().map(|word| written(std::slice::from_ref(word))).unwrap_or_default();
    Err(unsupported(&format!("SHOW {what}"), "SHOW lists CATALOGS, SCHEMAS, TABLES and COLUMNS"))
}

fn use_names(mut reading: Reading<'_>) -> Result<Understood, StatementError> {
    reading.skip("USE");
    let is_catalog = reading.skip("CATALOG");
    let _ = !is_catalog && (reading.skip("SCHEMA") || reading.skip("DATABASE"));
    let mut name = match reading.next().cloned() {
        Some(Word::Text(name)) => Name(vec![name]),
        _ => {
            reading.at -= 1;
            reading.name()?
        }
    };
    reading.end()?;
    match (is_catalog, name.0.len()) {
        (true, 1) => Ok(Understood::Use(Used { catalog: name.0.pop(), schema: None })),
        (false, 1) => Ok(Understood::Use(Used { catalog: None, schema: name.0.pop() })),
        (false, 2) => {
            let schema = name.0.pop();
            Ok(Understood::Use(Used { catalog: name.0.pop(), schema }))
        }
        _ => Err(StatementError::bad(format!("USE takes a schema or a catalog, not \"{name}\""))),
    }
}

struct Reading<'a> {
    words: &'a [Word],
    at: usize,
}

impl<'a> Reading<'a> {
    fn peek(&mut self) -> Option<&'a Word> {
        while matches!(self.words.get(self.at), Some(Word::Blank(_))) {
            self.at += 1;
        }
        self.words.get(self.at)
    }

    fn next(&mut self) -> Option<&'a Word> {
        let word = self.peek();
        self.at += 1;
        word
    }

    fn skip(&mut self, keyword: &str) -> bool {
        let is = self.peek().is_some_and(|word| word.is(keyword));
        if is {
            self.at += 1;
        }
        is
    }

    fn skip_sign(&mut self, sign: char) -> bool {
        let is = self.peek() == Some(&Word::Sign(sign));
        if is {
            self.at += 1;
        }
        is
    }

    fn must(&mut self, keyword: &str) -> Result<(), StatementError> {
        if self.skip(keyword) { Ok(()) } else { Err(self.syntax(&format!("{keyword} is missing"))) }
    }

    fn sign(&mut self, sign: char) -> Result<(), StatementError> {
        if self.skip_sign(sign) { Ok(()) } else { Err(self.syntax(&format!("\"{sign}\" is missing"))) }
    }

    fn syntax(&mut self, what: &str) -> StatementError {
        let near = match self.peek() {
            Some(word) => format!(" at \"{}\"", written(std::slice::from_ref(word))),
            None => " at the end".into(),
        };
        StatementError {
            code: "BAD_REQUEST",
            message: format!("[PARSE_SYNTAX_ERROR] {what}{near}"),
            sql_state: Some("42601"),
        }
    }

    fn word(&mut self) -> Result<String, StatementError> {
        match self.peek() {
            Some(Word::Plain(word) | Word::Name(word)) => {
                self.at += 1;
                Ok(word.clone())
            }
            _ => Err(self.syntax("a name is missing")),
        }
    }

    fn name(&mut self) -> Result<Name, StatementError> {
        let mut parts = vec![self.word()?];
        // No blank stands around the points of a name.
        while self.words.get(self.at) == Some(&Word::Sign('.')) {
            self.at += 1;
            parts.push(self.word()?);
        }
        if parts.len() > 3 {
            return Err(StatementError::bad(format!(
                "\"{}\" has more than three parts: write catalog.schema.table",
                parts.join(".")
            )));
        }
        Ok(Name(parts))
    }

    fn if_not_exists(&mut self) -> bool {
        self.skip("IF") && self.skip("NOT") && self.skip("EXISTS")
    }

    /// Returns what is left, in standard SQL.
    fn rest(&self) -> String {
        let rest = written(&self.words[self.at.min(self.words.len())..]);
        if rest.is_empty() || rest.starts_with(char::is_whitespace) { rest } else { format!(" {rest}") }
    }

    fn end(&mut self) -> Result<(), StatementError> {
        self.end_with("nothing stands there in this workspace")
    }

    fn end_with(&mut self, why: &str) -> Result<(), StatementError> {
        match self.peek() {
            None => Ok(()),
            Some(word) => Err(unsupported(&format!("\"{}\"", written(std::slice::from_ref(word))), why)),
        }
    }

    /// Reads `(name TYPE, …)`.
    fn columns(&mut self) -> Result<Option<Vec<(String, String)>>, StatementError> {
        if self.peek() != Some(&Word::Sign('(')) {
            return Ok(None);
        }
        let begin = self.at;
        self.at += 1;
        if ["SELECT", "WITH", "VALUES"].iter().any(|start| self.peek().is_some_and(|word| word.is(start))) {
            self.at = begin;
            return Ok(None);
        }
        let mut columns = Vec::new();
        loop {
            let name = self.word()?;
            let mut kind = self.word()?.to_ascii_uppercase();
            if self.skip_sign('(') {
                kind.push('(');
                loop {
                    kind.push_str(&self.word()?);
                    if !self.skip_sign(',') {
                        break;
                    }
                    kind.push(',');
                }
                self.sign(')')?;
                kind.push(')');
            }
            let kind = column_type(&kind).ok_or_else(|| {
                unsupported(
                    &format!("type {kind} of column \"{name}\""),
                    "columns hold STRING, BOOLEAN, whole numbers, FLOAT or DOUBLE, DATE and TIMESTAMP",
                )
            })?;
            columns.push((name, kind));
            if self.skip_sign(',') {
                continue;
            }
            if self.skip_sign(')') {
                return Ok(Some(columns));
            }
            let word = self.peek().map(|word| written(std::slice::from_ref(word))).unwrap_or_default();
            return Err(unsupported(&format!("\"{word}\" behind a column"), "a column has a name and a type here"));
        }
    }

    fn texts(&mut self) -> Result<Vec<String>, StatementError> {
        self.sign('(')?;
        let mut texts = Vec::new();
        loop {
            match self.next() {
                Some(Word::Text(text)) => texts.push(text.clone()),
                _ => {
                    self.at -= 1;
                    return Err(self.syntax("a text in quotes is missing"));
                }
            }
            if !self.skip_sign(',') {
                self.sign(')')?;
                return Ok(texts);
            }
        }
    }

    /// Reads `('name' = 'value', …)`.
    fn options(&mut self) -> Result<Vec<(String, String)>, StatementError> {
        self.sign('(')?;
        let mut options = Vec::new();
        loop {
            let mut pair = Vec::new();
            for _ in 0..2 {
                match self.next() {
                    Some(Word::Text(text) | Word::Plain(text)) => pair.push(text.clone()),
                    _ => {
                        self.at -= 1;
                        return Err(self.syntax("an option is missing"));
                    }
                }
                if pair.len() == 1 {
                    self.sign('=')?;
                }
            }
            let value = pair.pop().unwrap_or_default();
            options.push((pair.pop().unwrap_or_default().to_ascii_lowercase(), value));
            if !self.skip_sign(',') {
                self.sign(')')?;
                return Ok(options);
            }
        }
    }

    /// Reads `IN name` or `FROM name`.
    fn inside(&mut self) -> Result<Option<Name>, StatementError> {
        if self.skip("IN") || self.skip("FROM") { Ok(Some(self.name()?)) } else { Ok(None) }
    }

    /// Reads `LIKE 'pattern'`, or the pattern alone, up to the end.
    fn like(&mut self) -> Result<Option<String>, StatementError> {
        let wanted = self.skip("LIKE");
        let like = match self.peek() {
            Some(Word::Text(pattern)) => {
                self.at += 1;
                Some(pattern.clone())
            }
            _ if wanted => return Err(self.syntax("a pattern in quotes is missing")),
            _ => None,
        };
        self.end()?;
        Ok(like)
    }
}

/// Returns how our engine calls a type of a column.
fn column_type(kind: &str) -> Option<String> {
    let word = kind.split('(').next().unwrap_or(kind);
    Some(match word {
        "STRING" | "VARCHAR" | "CHAR" => "VARCHAR".into(),
        "BOOLEAN" => "BOOLEAN".into(),
        "TINYINT" | "BYTE" | "SMALLINT" | "SHORT" | "INT" | "INTEGER" | "BIGINT" | "LONG" => "BIGINT".into(),
        "FLOAT" | "REAL" | "DOUBLE" => "DOUBLE".into(),
        "DATE" | "TIMESTAMP" | "TIMESTAMP_NTZ" => "TIMESTAMP".into(),
        _ => return None,
    })
}

/// Writes rows of texts as a question that returns them. All columns are texts
/// but those named in `booleans`.
pub fn values(columns: &[&str], booleans: &[&str], rows: &[Vec<Option<String>>]) -> String {
    let cell = |column: &str, value: &Option<String>| match value {
        None => "NULL".to_owned(),
        Some(value) if booleans.contains(&column) => value.clone(),
        Some(value) => literal(value),
    };
    let named = |row: &[Option<String>]| {
        let cells = columns.iter().zip(row).map(|(column, value)| {
            let kind = if booleans.contains(column) { "BOOLEAN" } else { "VARCHAR" };
            format!("CAST({} AS {kind}) AS {}", cell(column, value), quoted(column))
        });
        format!("SELECT {}", cells.collect::<Vec<_>>().join(", "))
    };
    if rows.is_empty() {
        return format!("{} WHERE FALSE", named(&vec![None; columns.len()]));
    }
    rows.iter().map(|row| named(row)).collect::<Vec<_>>().join(" UNION ALL ")
}

/// Tells whether a name fits a pattern of `SHOW`: `*` and `%` stand for
/// anything, `|` for "or"; case does not matter.
pub fn fits(pattern: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    pattern.to_lowercase().split('|').any(|pattern| {
        let parts: Vec<&str> = pattern.trim().split(['*', '%']).collect();
        let [first, middle @ .., last] = parts.as_slice() else { return name == pattern.trim() };
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        for part in middle {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.len() >= last.len() && rest.ends_with(last)
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(statement: &str, expected: Expect) {
        let shown = match understand(statement) {
            Ok(Understood::Question { statement }) => format!("question: {statement}"),
            Ok(Understood::Change { verb, table, statement, .. }) => format!("{verb:?} of {table}: {statement}"),
            Ok(other) => format!("{other:?}"),
            Err(error) => format!("{}: {error}", error.code),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn questions_are_written_in_standard_sql() {
        check(
            "SELECT `Order Id`, \"it's\" AS t FROM loopwright.orders.items WHERE a = :a -- why\n;",
            expect![[r#"question: SELECT "Order Id", 'it''s' AS t FROM loopwright.orders.items WHERE a = :a"#]],
        );
        check(r"select 'a\'b' || r'c\d'", expect!["question: select 'a''b' || 'c\\d'"]);
        check(
            "SELECT 1; SELECT 2",
            expect![[r#"BAD_REQUEST: only one statement can be run at a time: send what is behind the ";" by itself"#]],
        );
        check("SELECT 'a", expect!["BAD_REQUEST: [PARSE_SYNTAX_ERROR] a text is not closed"]);
        check("  ", expect!["BAD_REQUEST: there is no statement"]);
    }

    #[test]
    fn changes_name_their_table() {
        check(
            "INSERT INTO loopwright.orders.`My Items` VALUES (1, \"x\")",
            expect![[r#"Insert of loopwright.orders.My Items: INSERT INTO "My Items" VALUES (1, 'x')"#]],
        );
        check(
            "INSERT INTO items(a, b) SELECT 1, 2",
            expect![[r#"Insert of items: INSERT INTO "items" (a, b) SELECT 1, 2"#]],
        );
        check("UPDATE a.b SET x = 1 WHERE y", expect![[r#"Update of a.b: UPDATE "b" SET x = 1 WHERE y"#]]);
        check("DELETE FROM b WHERE y", expect![[r#"Delete of b: DELETE FROM "b" WHERE y"#]]);
        check("drop table if exists a.b", expect![[r#"Drop of a.b: DROP TABLE IF EXISTS "b""#]]);
        check(
            "CREATE OR REPLACE TABLE a.b USING DELTA AS SELECT 1 AS x",
            expect![[r#"Replace of a.b: CREATE OR REPLACE TABLE "b" AS SELECT 1 AS x"#]],
        );
        check(
            "CREATE TABLE IF NOT EXISTS b (id BIGINT, name VARCHAR(20), at DATE) USING delta",
            expect![[
                r#"Create of b: CREATE TABLE IF NOT EXISTS "b" AS SELECT CAST(NULL AS BIGINT) AS "id", CAST(NULL AS VARCHAR) AS "name", CAST(NULL AS TIMESTAMP) AS "at" WHERE FALSE"#
            ]],
        );
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        check(
            "MERGE INTO a USING b ON a.x = b.x",
            expect![
                "NOT_IMPLEMENTED: [UNSUPPORTED_FEATURE] MERGE: this workspace does not do that; use INSERT INTO: a table with keys replaces the row that has the key"
            ],
        );
        check(
            "INSERT OVERWRITE a SELECT 1",
            expect![
                "NOT_IMPLEMENTED: [UNSUPPORTED_FEATURE] INSERT OVERWRITE: this workspace does not do that; write CREATE OR REPLACE TABLE … AS"
            ],
        );
        check(
            "CREATE TABLE a (x DECIMAL(10,2))",
            expect![[
                r#"NOT_IMPLEMENTED: [UNSUPPORTED_FEATURE] type DECIMAL(10,2) of column "x": this workspace does not do that; columns hold STRING, BOOLEAN, whole numbers, FLOAT or DOUBLE, DATE and TIMESTAMP"#
            ]],
        );
        check(
            "CREATE TABLE a (x INT) PARTITIONED BY (x)",
            expect![[
                r#"NOT_IMPLEMENTED: [UNSUPPORTED_FEATURE] "PARTITIONED": this workspace does not do that; tables have no properties, partitions, comments or locations here"#
            ]],
        );
        check(
            "OPTIMIZE a",
            expect![
                "NOT_IMPLEMENTED: [UNSUPPORTED_FEATURE] OPTIMIZE: this workspace does not do that; it is none of the statements that this workspace knows"
            ],
        );
        check("INSERT x", expect![[r#"BAD_REQUEST: [PARSE_SYNTAX_ERROR] INTO is missing at "x""#]]);
    }

    #[test]
    fn names_are_shown_and_used() {
        check(
            "SHOW TABLES IN loopwright.orders LIKE 'i*'",
            expect![[r#"ShowTables { schema: Some(Name(["loopwright", "orders"])), like: Some("i*") }"#]],
        );
        check("show databases", expect!["ShowSchemas { catalog: None, like: None }"]);
        check("DESC TABLE EXTENDED a.b", expect![[r#"Describe { table: Name(["a", "b"]), names_only: false }"#]]);
        check("SHOW COLUMNS IN b IN a", expect![[r#"Describe { table: Name(["a", "b"]), names_only: true }"#]]);
        check("USE CATALOG loopwright", expect![[r#"Use(Used { catalog: Some("loopwright"), schema: None })"#]]);
        check(
            "USE loopwright.orders",
            expect![[r#"Use(Used { catalog: Some("loopwright"), schema: Some("orders") })"#]],
        );
        check(
            "COPY INTO orders.items FROM '/Volumes/loopwright/orders/in' FILEFORMAT = CSV FILES = ('a.csv', 'b.csv') \
             FORMAT_OPTIONS ('header' = 'true') COPY_OPTIONS ('force' = 'true')",
            expect![[
                r#"Copy(Copy { table: Name(["orders", "items"]), from: "/Volumes/loopwright/orders/in", format: "CSV", files: ["a.csv", "b.csv"], format_options: [("header", "true")], copy_options: [("force", "true")] })"#
            ]],
        );
    }

    #[test]
    fn patterns_have_stars() {
        for (pattern, name, expected) in [
            ("i*", "Items", true),
            ("*em*", "items", true),
            ("a|items", "items", true),
            ("i*x", "items", false),
            ("items", "item", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
