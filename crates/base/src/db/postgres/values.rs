//! Values on PostgreSQL's wire.
//!
//! Our tables know four types, but expressions have more: `SUM` of a `BIGINT`
//! is a `NUMERIC`, `EXISTS` is a `BOOL`, a bare `1` is an `INT4`. They come
//! back as what SQLite would answer. What goes out takes the type that the
//! server has found for the placeholder.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::db::Value;

type AnyError = Box<dyn Error + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, to: &Type, out: &mut BytesMut) -> Result<IsNull, AnyError> {
        let misfit = || Err(format!("{} does not go into a {to}", self.kind()).into());
        match (self, to) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Int(number), &Type::INT8) => number.to_sql(to, out),
            (Value::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(to, out),
            (Value::Int(number), &Type::INT2) => i16::try_from(*number)?.to_sql(to, out),
            (Value::Int(number), &Type::FLOAT8) => (*number as f64).to_sql(to, out),
            (Value::Int(number), &Type::BOOL) => (*number != 0).to_sql(to, out),
            (Value::Real(number), &Type::FLOAT8) => number.to_sql(to, out),
            (Value::Text(text), to) if <&str as ToSql>::accepts(to) => text.to_sql(to, out),
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(to, out),
            _ => misfit(),
        }
    }

    /// Everything: a misfit is found with the value in hand, so that the
    /// message can say which.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(from: &Type, raw: &'a [u8]) -> Result<Self, AnyError> {
        Ok(match *from {
            Type::INT8 => Value::Int(i64::from_sql(from, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(from, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(from, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(from, raw)?.into()),
            Type::FLOAT8 => Value::Real(f64::from_sql(from, raw)?),
            Type::FLOAT4 => Value::Real(f32::from_sql(from, raw)?.into()),
            Type::NUMERIC => numeric(raw)?,
            Type::BYTEA => Value::Blob(raw.to_vec()),
            _ => Value::Text(String::from_sql(from, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, AnyError> {
        Ok(Value::Null)
    }

    fn accepts(from: &Type) -> bool {
        let ours =
            [Type::INT8, Type::INT4, Type::INT2, Type::BOOL, Type::FLOAT8, Type::FLOAT4, Type::NUMERIC, Type::BYTEA];
        ours.contains(from) || <String as FromSql>::accepts(from)
    }
}

/// Reads a NUMERIC: counts of digits, weight, sign and scale, then digits to
/// the base of 10,000.
fn numeric(raw: &[u8]) -> Result<Value, AnyError> {
    let mut words = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let mut next = || words.next().ok_or("a NUMERIC was cut short");
    let (count, weight, sign, scale) = (next()?, next()?.cast_signed(), next()?, next()?);
    if sign > 0x4000 {
        return Err("NaN and infinity have no place here".into());
    }
    let negative = sign == 0x4000;
    let digits = (0..count).map(|_| next()).collect::<Result<Vec<_>, _>>()?;
    let whole_digits = usize::try_from(weight + 1).unwrap_or(0);
    let has_fraction = scale > 0 && digits.len() > whole_digits;
    if !has_fraction {
        let mut whole: i128 = 0;
        for place in 0..whole_digits {
            whole = whole * 10_000 + i128::from(digits.get(place).copied().unwrap_or(0));
            if whole > i128::from(u64::MAX) {
                return Err("a NUMERIC is larger than 64 bits".into());
            }
        }
        return Ok(Value::Int(i64::try_from(if negative { -whole } else { whole })?));
    }
    let mut number = 0.0;
    for (place, digit) in (0i32..).zip(&digits) {
        number += f64::from(*digit) * 10_000f64.powi(i32::from(weight) - place);
    }
    Ok(Value::Real(if negative { -number } else { number }))
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Int(_) => "an integer",
            Value::Real(_) => "a double",
            Value::Text(_) => "a text",
            Value::Blob(_) => "bytes",
        }
    }
}
