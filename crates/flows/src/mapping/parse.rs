//! From tokens to an expression.
//!
//! The weakest operator is read first; each level asks the next stronger one
//! for its operands. Depth is limited, because a mapping is data from outside
//! and must not overflow the stack.

use super::Problem;
use super::expression::{Binary, Expression, Form, Root, Segment};
use super::functions;
use super::token::{Token, Tokens};
use crate::value::Value;

/// Levels of brackets and calls inside one another.
const DEPTH_MAX: usize = 64;

/// Reads an expression up to and with its `}}`.
pub(super) fn expression(tokens: &mut Tokens<'_>) -> Result<Expression, Problem> {
    let expression = Parser { tokens, depth: 0 }.binary(0)?;
    match tokens.take()? {
        (Token::End, _) => Ok(expression),
        (token, at) => Err(Problem { at, text: format!("{} does not belong here", show(&token)) }),
    }
}

struct Parser<'a, 'b> {
    tokens: &'a mut Tokens<'b>,
    depth: usize,
}

/// Operators from the weakest level to the strongest.
pub(super) const LEVELS: [&[(&str, Binary)]; 5] = [
    &[("|", Binary::Or), ("||", Binary::Or), ("or", Binary::Or)],
    &[("&", Binary::And), ("&&", Binary::And), ("and", Binary::And)],
    &[
        ("=", Binary::Equal),
        ("==", Binary::Equal),
        ("===", Binary::Equal),
        ("!=", Binary::NotEqual),
        ("<", Binary::Less),
        ("<=", Binary::LessOrEqual),
        (">", Binary::Greater),
        (">=", Binary::GreaterOrEqual),
    ],
    &[("+", Binary::Add), ("-", Binary::Subtract)],
    &[("*", Binary::Multiply), ("/", Binary::Divide), ("%", Binary::Remainder)],
];

impl Parser<'_, '_> {
    fn binary(&mut self, level: usize) -> Result<Expression, Problem> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let (token, at) = self.tokens.peek()?;
            let at = *at;
            let sign = match token {
                Token::Sign(sign) => *sign,
                Token::Word(word) => word.as_str(),
                _ => return Ok(left),
            };
            let Some((_, operator)) = operators.iter().find(|(known, _)| *known == sign) else { return Ok(left) };
            let operator = *operator;
            self.tokens.take()?;
            let right = self.binary(level + 1)?;
            left = Expression { at, form: Form::Binary(operator, Box::new(left), Box::new(right)) };
        }
    }

    fn unary(&mut self) -> Result<Expression, Problem> {
        let at = self.tokens.peek()?.1;
        if !self.tokens.accept("-")? {
            return self.primary();
        }
        let operand = self.deeper(at, Self::unary)?;
        Ok(Expression { at, form: Form::Negative(Box::new(operand)) })
    }

    fn primary(&mut self) -> Result<Expression, Problem> {
        let (token, at) = self.tokens.take()?;
        let form = match token {
            Token::Number(Value::Int(number)) if self.a_path_follows()? => {
                let module = u32::try_from(number)
                    .map_err(|_| Problem { at, text: format!("{number} is not the id of a module") })?;
                Form::Reference(Root::Module(module), self.path()?)
            }
            Token::Number(number) => Form::Literal(number),
            Token::Text(text) => Form::Literal(Value::text(text)),
            Token::Quoted(name) => {
                let root = name.parse().map_or(Root::Name(name), Root::Module);
                Form::Reference(root, self.path()?)
            }
            Token::Word(word) if self.tokens.accept("(")? => {
                let call = self.call(word)?;
                if self.a_path_follows()? {
                    let at = self.tokens.peek()?.1;
                    let text = "a path cannot follow a call; use get(call; \"path\")".to_owned();
                    return Err(Problem { at, text });
                }
                call
            }
            Token::Word(word) => Form::Reference(Root::Name(word), self.path()?),
            Token::Sign("(") => {
                let inner = self.deeper(at, |parser| parser.binary(0))?;
                if !self.tokens.accept(")")? {
                    return Err(Problem { at, text: "\"(\" is not closed".into() });
                }
                inner.form
            }
            token => return Err(Problem { at, text: format!("a value is missing before {}", show(&token)) }),
        };
        Ok(Expression { at, form })
    }

    fn call(&mut self, name: String) -> Result<Form, Problem> {
        let mut arguments = Vec::new();
        if !self.tokens.accept(")")? {
            loop {
                let (token, place) = self.tokens.peek()?;
                let place = *place;
                let empty = matches!(token, Token::Sign(";" | ")"));
                arguments.push(if empty {
                    Expression { at: place, form: Form::Literal(Value::Absent) }
                } else {
                    self.deeper(place, |parser| parser.binary(0))?
                });
                if self.tokens.accept(")")? {
                    break;
                }
                let (token, place) = self.tokens.take()?;
                if token != Token::Sign(";") {
                    let text = format!("{} stands where \";\" or \")\" of {name}(…) is expected", show(&token));
                    return Err(Problem { at: place, text });
                }
            }
        }
        let function = functions::find(&name);
        Ok(Form::Call { name, function, arguments })
    }

    fn a_path_follows(&mut self) -> Result<bool, Problem> {
        Ok(matches!(self.tokens.peek()?, (Token::Sign("." | "["), _)))
    }

    fn path(&mut self) -> Result<Vec<Segment>, Problem> {
        let mut path = Vec::new();
        loop {
            if self.tokens.accept(".")? {
                match self.tokens.take()? {
                    (Token::Word(name) | Token::Quoted(name), _) => path.push(Segment::Name(name)),
                    // `1.0.x` was typed for ``1.`0`.x``.
                    (Token::Number(number), _) => path.push(Segment::Name(number.to_text())),
                    (token, at) => {
                        return Err(Problem { at, text: format!("a name is missing before {}", show(&token)) });
                    }
                }
            } else if self.tokens.accept("[")? {
                if self.tokens.accept("]")? {
                    path.push(Segment::First);
                    continue;
                }
                let at = self.tokens.peek()?.1;
                let index = self.deeper(at, |parser| parser.binary(0))?;
                if !self.tokens.accept("]")? {
                    return Err(Problem { at, text: "\"[\" is not closed".into() });
                }
                path.push(Segment::Index(Box::new(index)));
            } else {
                return Ok(path);
            }
        }
    }

    fn deeper<T>(&mut self, at: usize, read: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Problem { at, text: format!("more than {DEPTH_MAX} levels inside one another") });
        }
        let result = read(self);
        self.depth -= 1;
        result
    }
}

fn show(token: &Token) -> String {
    match token {
        Token::Number(number) => format!("\"{}\"", number.to_text()),
        Token::Text(text) => format!("the text \"{text}\""),
        Token::Word(word) | Token::Quoted(word) => format!("\"{word}\""),
        Token::Sign(sign) => format!("\"{sign}\""),
        Token::End => "\"}}\"".into(),
    }
}
