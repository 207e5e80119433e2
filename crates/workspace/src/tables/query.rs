//! Lists whose conditions depend on what the caller asks for.

use base::db::{Row, Tx, Value};

use crate::error::Error;
use crate::paging::Place;

/// A list with as many conditions as the caller has wishes.
pub(super) struct Query {
    sql: String,
    args: Vec<Value>,
    /// The page ends before its place: it is read from there.
    is_backward: bool,
}

impl Query {
    pub(super) fn new(select: &str) -> Self {
        Query { sql: format!("{select} WHERE 1 = 1"), args: Vec::new(), is_backward: false }
    }

    /// Says where the page lies.
    pub(super) fn at(&mut self, place: Place) {
        let (side, cursor) = match place {
            Place::Start | Place::Within => return,
            Place::Behind(cursor) => ("<", cursor),
            Place::Before(cursor) => (">", cursor),
        };
        self.is_backward = side == ">";
        self.and(&format!("(created_at, id) {side} ("), vec![cursor.micros.into(), cursor.id.into()], ")");
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

    /// Reads a page, newest first.
    pub(super) fn newest(mut self, tx: &mut dyn Tx, offset: u32, limit: u32) -> Result<Vec<Row>, Error> {
        let place = self.args.len() + 1;
        let (sql, offset_place) = (&self.sql, place + 1);
        let order = if self.is_backward { "created_at, id" } else { "created_at DESC, id DESC" };
        let sql = format!("{sql} ORDER BY {order} LIMIT ${place} OFFSET ${offset_place}");
        self.args.extend([Value::from(limit), Value::from(offset)]);
        let mut rows = tx.query(&sql, &self.args)?;
        if self.is_backward {
            rows.reverse();
        }
        Ok(rows)
    }
}
