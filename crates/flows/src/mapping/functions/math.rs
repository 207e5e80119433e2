//! Numbers.

use super::{ANY, Function, at, function, number_at, text_at, whole_at};
use crate::value::{Value, read_number};

pub(super) const FUNCTIONS: &[Function] = &[
    // Half goes towards plus infinity, as JavaScript does it; a second
    // argument is not documented anywhere, yet people write it.
    function("round", "round(number; [decimals])", 1, 2, |arguments, _| {
        scaled(arguments, |number| (number + 0.5).floor())
    }),
    function("ceil", "ceil(number)", 1, 1, |arguments, _| Ok(Value::number(number_at(arguments, 0)?.ceil()))),
    function("floor", "floor(number)", 1, 1, |arguments, _| Ok(Value::number(number_at(arguments, 0)?.floor()))),
    function("abs", "abs(number)", 1, 1, |arguments, _| Ok(Value::number(number_at(arguments, 0)?.abs()))),
    function("trunc", "trunc(number; [decimals])", 1, 2, |arguments, _| scaled(arguments, f64::trunc)),
    function("min", "min(array or numbers)", 1, ANY, |arguments, _| {
        Ok(numbers(arguments)?.into_iter().reduce(f64::min).map_or(Value::Absent, Value::number))
    }),
    function("max", "max(array or numbers)", 1, ANY, |arguments, _| {
        Ok(numbers(arguments)?.into_iter().reduce(f64::max).map_or(Value::Absent, Value::number))
    }),
    function("sum", "sum(array or numbers)", 1, ANY, |arguments, _| {
        Ok(Value::number(numbers(arguments)?.iter().sum()))
    }),
    function("average", "average(array or numbers)", 1, ANY, |arguments, _| {
        let numbers = numbers(arguments)?;
        if numbers.is_empty() {
            return Ok(Value::Absent);
        }
        Ok(Value::number(numbers.iter().sum::<f64>() / numbers.len() as f64))
    }),
    function("median", "median(array or numbers)", 1, ANY, |arguments, _| {
        let mut numbers = numbers(arguments)?;
        numbers.sort_by(f64::total_cmp);
        let middle = numbers.len() / 2;
        Ok(match numbers.len() {
            0 => Value::Absent,
            odd if odd % 2 == 1 => Value::number(numbers[middle]),
            _ => Value::number(f64::midpoint(numbers[middle - 1], numbers[middle])),
        })
    }),
    function("stdevS", "stdevS(array or numbers)", 1, ANY, |arguments, _| deviation(&numbers(arguments)?, 1)),
    function("stdevP", "stdevP(array or numbers)", 1, ANY, |arguments, _| deviation(&numbers(arguments)?, 0)),
    function("prod", "prod(number; number; …)", 1, ANY, |arguments, _| {
        Ok(Value::number(numbers(arguments)?.iter().product()))
    }),
    function("sub", "sub(number; number; …)", 1, ANY, |arguments, _| {
        Ok(numbers(arguments)?.into_iter().reduce(|left, right| left - right).map_or(Value::Absent, Value::number))
    }),
    function("div", "div(number; number; …)", 1, ANY, |arguments, _| {
        let numbers = numbers(arguments)?;
        if numbers.iter().skip(1).any(|number| *number == 0.0) {
            return Err("division by zero".to_owned());
        }
        Ok(numbers.into_iter().reduce(|left, right| left / right).map_or(Value::Absent, Value::number))
    }),
    function("power", "power(number; exponent)", 2, 2, |arguments, _| {
        real(number_at(arguments, 0)?.powf(number_at(arguments, 1)?))
    }),
    function("sqrt", "sqrt(number)", 1, 1, |arguments, _| real(number_at(arguments, 0)?.sqrt())),
    function("ln", "ln(number)", 1, 1, |arguments, _| real(number_at(arguments, 0)?.ln())),
    function("log", "log(base; number)", 2, 2, |arguments, _| {
        let (base, number) = (number_at(arguments, 0)?, number_at(arguments, 1)?);
        // The exact ones of the two bases that people use stay exact.
        real(match base {
            10.0 => number.log10(),
            2.0 => number.log2(),
            _ => number.log(base),
        })
    }),
    function("number", "number(text)", 1, 1, |arguments, _| {
        let value = at(arguments, 0);
        value.to_number().ok_or_else(|| format!("\"{}\" is not a number", value.to_text()))
    }),
    function("sortAscNum", "sortAscNum(number; number; …)", 1, ANY, |arguments, _| {
        let mut numbers = numbers(arguments)?;
        numbers.sort_by(f64::total_cmp);
        Ok(Value::array(numbers.into_iter().map(Value::number).collect()))
    }),
    function("sortDescNum", "sortDescNum(number; number; …)", 1, ANY, |arguments, _| {
        let mut numbers = numbers(arguments)?;
        numbers.sort_by(|left, right| right.total_cmp(left));
        Ok(Value::array(numbers.into_iter().map(Value::number).collect()))
    }),
    function("parseNumber", "parseNumber(text; [decimal separator])", 1, 2, |arguments, _| {
        let separator = if arguments.len() > 1 { text_at(arguments, 1) } else { ".".into() };
        let text = text_at(arguments, 0);
        let plain: String = text
            .chars()
            .filter_map(|letter| match letter {
                letter if separator.contains(letter) => Some('.'),
                '0'..='9' | '-' | '+' | 'e' | 'E' => Some(letter),
                ' ' | ',' | '.' | '\'' | '\u{a0}' | '\u{202f}' => None,
                other => Some(other),
            })
            .collect();
        read_number(&plain).ok_or_else(|| format!("\"{text}\" is not a number"))
    }),
    function(
        "formatNumber",
        "formatNumber(number; decimals; [decimal separator]; [thousand separator])",
        2,
        4,
        |arguments, _| {
            let decimals = usize::try_from(whole_at(arguments, 1)?.clamp(0, 30)).unwrap_or(0);
            let or = |place, otherwise: &str| match at(arguments, place) {
                Value::Absent => otherwise.to_owned(),
                value => value.to_text(),
            };
            Ok(Value::text(grouped(number_at(arguments, 0)?, decimals, &or(2, ","), &or(3, "."))))
        },
    ),
];

/// A result that is no number is an error, not a value that poisons the rest.
fn real(number: f64) -> Result<Value, String> {
    if number.is_finite() { Ok(Value::number(number)) } else { Err("the result is not a number".to_owned()) }
}

/// Standard deviation; `less` is 1 for a sample and 0 for all there is.
fn deviation(numbers: &[f64], less: usize) -> Result<Value, String> {
    if numbers.len() <= less {
        return Ok(Value::Absent);
    }
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    real((squares / (numbers.len() - less) as f64).sqrt())
}

fn scaled(arguments: &[Value], apply: impl Fn(f64) -> f64) -> Result<Value, String> {
    let decimals = if arguments.len() > 1 { whole_at(arguments, 1)?.clamp(0, 15) } else { 0 };
    let scale = 10f64.powi(decimals as i32);
    Ok(Value::number(apply(number_at(arguments, 0)? * scale) / scale))
}

/// Collects the numbers of an array, or of all arguments.
fn numbers(arguments: &[Value]) -> Result<Vec<f64>, String> {
    let values = match arguments {
        [Value::Array(values)] => values.as_slice(),
        _ => arguments,
    };
    let present = values.iter().filter(|value| !value.is_empty());
    present.map(|value| value.to_f64().ok_or_else(|| format!("\"{}\" is not a number", value.to_text()))).collect()
}

fn grouped(number: f64, decimals: usize, decimal_separator: &str, thousand_separator: &str) -> String {
    let text = format!("{:.decimals$}", number.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    if number < 0.0 && text.chars().any(|digit| ('1'..='9').contains(&digit)) {
        out.push('-');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            out.push_str(thousand_separator);
        }
        out.push(digit);
    }
    if decimals > 0 {
        out.push_str(decimal_separator);
        out.push_str(fraction);
    }
    out
}
