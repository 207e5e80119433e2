//! CSV texts.

pub mod create;
pub mod parse;

use crate::modules::{Class, ModuleError};

/// Returns the letter that a setting names: `comma`, `tab`, `semicolon`, or any
/// one letter of ASCII.
fn delimiter(named: &str, other: &str) -> Result<u8, ModuleError> {
    let letter = match named {
        "" | "comma" => ",",
        "tab" | "\\t" => "\t",
        "semicolon" => ";",
        "other" => other,
        letter => letter,
    };
    match letter.as_bytes() {
        [letter] => Ok(*letter),
        _ => {
            let message = format!("\"{letter}\" is not a delimiter: comma, tab, semicolon, or one letter of ASCII");
            Err(ModuleError::new(Class::BundleValidationError, message))
        }
    }
}
