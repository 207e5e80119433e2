//! Lists whose conditions depend on what the caller asks for.

use base::db::{Row, Tx, Value};

use crate::error::Error;

/// A list with as many conditions as the caller has wishes.
pub(super) struct Query {
    sql: String,
    args: Vec<Value>,
}

impl Query {
    pub(super) fn new(select: &str) -> Self {
        Query { sql: format!("{select} WHERE 1 = 1"), args: Vec::new() }
    }

    /// Adds a condition: `before`, placeholders for `values`, `after`.
    pub(super) fn and(&mut self, before: &str, values: Vec<Value>, after: &str) {
        let first = self.args.len() + 1;
        let places: Vec<String> = (first..first + values.len()).map(|place| format!("${place}")).collect();
        self.args.extend(values);
        self.sql = format!("{} AND {before}{}{after}", self.sql, places.join(", "));
    }

    /// Goes on with the condition before, as [`Query::and`] begins one.
    pub(super) fn go_on(&mut self, before: &str, values: Vec<Value>, after: &str) {
        let first = self.args.len() + 1;
        let places: Vec<String> = (first..first + values.len()).map(|place| format!("${place}")).collect();
        self.args.extend(values);
        self.sql = format!("{}{before}{}{after}", self.sql, places.join(", "));
    }

    pub(super) fn newest(mut self, tx: &mut dyn Tx, offset: u32, limit: u32) -> Result<Vec<Row>, Error> {
        let place = self.args.len() + 1;
        let (sql, offset_place) = (&self.sql, place + 1);
        let sql = format!("{sql} ORDER BY created_at DESC, id DESC LIMIT ${place} OFFSET ${offset_place}");
        self.args.extend([Value::from(limit), Value::from(offset)]);
        Ok(tx.query(&sql, &self.args)?)
    }
}
