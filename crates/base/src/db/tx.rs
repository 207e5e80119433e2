//! What a closure can do inside a transaction.

use super::{Error, FromValue, Value};

/// A transaction. A verb that must join another crate's transaction takes
/// `&mut dyn Tx`.
pub trait Tx {
    /// Runs a statement and returns how many rows it touched.
    fn execute(&mut self, sql: &str, args: &[Value]) -> Result<u64, Error>;

    /// Runs a statement once per set of arguments and returns how many rows
    /// were touched in all.
    fn execute_many(&mut self, sql: &str, sets: &[Vec<Value>]) -> Result<u64, Error> {
        let mut touched = 0;
        for args in sets {
            touched += self.execute(sql, args)?;
        }
        Ok(touched)
    }

    /// Runs a statement that returns rows, `RETURNING` included.
    fn query(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error>;

    /// Runs a statement that returns at most one row.
    fn query_one(&mut self, sql: &str, args: &[Value]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, args)?.into_iter().next())
    }
}

/// A row of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(Vec<Value>);

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Row(values)
    }

    /// Reads the column at a 0-based place.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, Error> {
        let value = self.0.get(column).ok_or(Error::Shape { column })?;
        T::from_value(value.clone()).ok_or(Error::Shape { column })
    }
}
