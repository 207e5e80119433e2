//! What an expression is once it has been read.

use std::fmt;

use super::functions::Function;
use crate::value::Value;

/// An expression and the byte of its template at which it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// For messages.
    pub at: usize,
    /// What it is.
    pub form: Form,
}

/// The sorts of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// A number or a text.
    Literal(Value),
    /// A place in a bundle, or a name that the engine knows.
    Reference(Root, Vec<Segment>),
    /// A function with its arguments; one that does not exist is an error of
    /// the module at run time, so that a flow can be imported and looked at.
    Call {
        /// As written.
        name: String,
        /// What it calls.
        function: Option<&'static Function>,
        /// An argument that was left out is absent.
        arguments: Vec<Expression>,
    },
    /// The number with its sign turned.
    Negative(Box<Expression>),
    /// Two operands.
    Binary(Binary, Box<Expression>, Box<Expression>),
}

/// Where a reference begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Root {
    /// The bundle of the module with this id.
    Module(u32),
    /// A name such as `now`, `var` or `celonis`.
    Name(String),
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Segment {
    /// A field.
    Name(String),
    /// An element, counted from 1, or from the end below zero.
    Index(Box<Expression>),
    /// `[]`: the first element where the path goes on, else the array itself.
    First,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Expression {
    /// Calls `visit` for each reference inside.
    pub fn references<'a>(&'a self, visit: &mut dyn FnMut(&'a Root, &'a [Segment], usize)) {
        match &self.form {
            Form::Literal(_) => {}
            Form::Reference(root, path) => {
                visit(root, path, self.at);
                for segment in path {
                    if let Segment::Index(index) = segment {
                        index.references(visit);
                    }
                }
            }
            Form::Call { arguments, .. } => {
                for argument in arguments {
                    argument.references(visit);
                }
            }
            Form::Negative(operand) => operand.references(visit),
            Form::Binary(_, left, right) => {
                left.references(visit);
                right.references(visit);
            }
        }
    }

    /// Calls `visit` for each call of a function that does not exist.
    pub fn unknown_calls<'a>(&'a self, visit: &mut dyn FnMut(&'a str, usize)) {
        match &self.form {
            Form::Literal(_) | Form::Reference(..) => {}
            Form::Call { name, function, arguments } => {
                if function.is_none() {
                    visit(name, self.at);
                }
                for argument in arguments {
                    argument.unknown_calls(visit);
                }
            }
            Form::Negative(operand) => operand.unknown_calls(visit),
            Form::Binary(_, left, right) => {
                left.unknown_calls(visit);
                right.unknown_calls(visit);
            }
        }
    }
}

impl fmt::Display for Expression {
    /// Writes text that reads back as the same expression.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::Literal(Value::Absent) => Ok(()),
            Form::Literal(Value::Text(text)) => write!(f, "\"{}\"", text.replace('"', "\"\"")),
            Form::Literal(Value::Float(number)) => write!(f, "{number:?}"),
            Form::Literal(value) => f.write_str(&value.to_text()),
            Form::Reference(root, path) => {
                match root {
                    Root::Module(id) if path.is_empty() => write!(f, "`{id}`")?,
                    Root::Module(id) => write!(f, "{id}")?,
                    Root::Name(name) => f.write_str(name)?,
                }
                for segment in path {
                    match segment {
                        Segment::Name(name) if is_plain(name) => write!(f, ".{name}")?,
                        Segment::Name(name) => write!(f, ".`{name}`")?,
                        Segment::Index(index) => write!(f, "[{index}]")?,
                        Segment::First => f.write_str("[]")?,
                    }
                }
                Ok(())
            }
            Form::Call { name, arguments, .. } => {
                write!(f, "{name}(")?;
                for (place, argument) in arguments.iter().enumerate() {
                    if place > 0 {
                        f.write_str("; ")?;
                    }
                    write!(f, "{argument}")?;
                }
                f.write_str(")")
            }
            Form::Negative(operand) => write!(f, "-({operand})"),
            Form::Binary(operator, left, right) => write!(f, "({left} {} {right})", operator.sign()),
        }
    }
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

impl Binary {
    /// Returns what it does, in a sentence.
    pub fn summary(self) -> &'static str {
        match self {
            Binary::Or => "True where one side is; the right one is not computed where the left one is true.",
            Binary::And => "True where both sides are; the right one is not computed where the left one is false.",
            Binary::Equal => "Equal, compared loosely: as numbers, as dates, else as texts.",
            Binary::NotEqual => "Not equal, compared loosely.",
            Binary::Less => "Less; of dates, earlier.",
            Binary::LessOrEqual => "Less or equal.",
            Binary::Greater => "Greater; of dates, later.",
            Binary::GreaterOrEqual => "Greater or equal.",
            Binary::Add => "Adds numbers, and joins texts.",
            Binary::Subtract => "Subtracts; of two dates, the milliseconds between them.",
            Binary::Multiply => "Multiplies.",
            Binary::Divide => "Divides.",
            Binary::Remainder => "The remainder of a division.",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Binary::Or => "|",
            Binary::And => "&",
            Binary::Equal => "=",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::LessOrEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterOrEqual => ">=",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Remainder => "%",
        }
    }
}
