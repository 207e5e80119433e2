//! Values of an answer as JSON.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use base::Timestamp;
use serde_json::{Number, Value as Json};

/// Returns the word for a type in an answer.
pub(crate) fn kind(arrow: &DataType) -> String {
    match arrow {
        arrow if arrow.is_integer() => "integer".into(),
        arrow if arrow.is_floating() => "float".into(),
        DataType::Timestamp(..) => "time".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::Dictionary(_, values) => kind(values),
        other => other.to_string().to_ascii_lowercase(),
    }
}

/// Returns the values of an array. 64-bit integers are exact, times are RFC
/// 3339 in UTC, and floats that JSON cannot say are null. Decimals are texts,
/// since a reader would make floats of them.
pub(crate) fn values(array: &ArrayRef) -> Result<Vec<Json>, ArrowError> {
    macro_rules! integers {
        ($kind:ty) => {{
            let values = array.as_primitive::<$kind>();
            Ok(values.iter().map(|value| value.map_or(Json::Null, Json::from)).collect())
        }};
    }
    match array.data_type() {
        DataType::Null => Ok(vec![Json::Null; array.len()]),
        DataType::Int8 => integers!(Int8Type),
        DataType::Int16 => integers!(Int16Type),
        DataType::Int32 => integers!(Int32Type),
        DataType::Int64 => integers!(Int64Type),
        DataType::UInt8 => integers!(UInt8Type),
        DataType::UInt16 => integers!(UInt16Type),
        DataType::UInt32 => integers!(UInt32Type),
        DataType::UInt64 => integers!(UInt64Type),
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>();
            // By way of its shortest text, so that 0.1 does not grow a tail.
            let value = |value: f32| value.to_string().parse().map_or(Json::Null, float);
            Ok(values.iter().map(|one| one.map_or(Json::Null, value)).collect())
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            Ok(values.iter().map(|value| value.map_or(Json::Null, float)).collect())
        }
        DataType::Boolean => Ok(array.as_boolean().iter().map(|value| value.map_or(Json::Null, Json::from)).collect()),
        DataType::Utf8 => Ok(array.as_string::<i32>().iter().map(|text| text.map_or(Json::Null, Json::from)).collect()),
        DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => values(&cast(array, &DataType::Utf8)?),
        DataType::Timestamp(_, zone) => {
            let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            let text = |micros| Json::from(Timestamp::from_micros(micros).to_string());
            Ok(micros.iter().map(|value| value.map_or(Json::Null, text)).collect())
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            lists.iter().map(|list| list.map_or(Ok(Json::Null), |list| values(&list).map(Json::Array))).collect()
        }
        _ => {
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(array.as_ref(), &options)?;
            let text = |row| if array.is_null(row) { Json::Null } else { formatter.value(row).to_string().into() };
            Ok((0..array.len()).map(text).collect())
        }
    }
}

fn float(value: f64) -> Json {
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}
