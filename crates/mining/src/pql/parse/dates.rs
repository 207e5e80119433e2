//! Dates and shifts, which have forms of their own.

use base::Timestamp;
use jiff::civil;

use super::{Parsed, Parser, WEEKDAYS, is_reserved};
use crate::pql::Mistake;
use crate::pql::operators::hint;
use crate::pql::syntax::{Expr, ExprKind, Shift, Span};
use crate::pql::token::{Token, TokenKind};
use crate::value::date_in_range;

impl Parser {
    /// Reads `{d '2026-02-01'}`, `{ts '2026-02-01 08:30:00'}` or `{t 0}`.
    pub(super) fn date(&mut self) -> Parsed<Expr> {
        let start = self.expect_sign("{")?;
        if !(self.take_word("D") || self.take_word("TS") || self.take_word("T")) {
            return Err(self.unexpected("a date such as {d '2026-02-01'}"));
        }
        let Token { kind, span } = self.peek().clone();
        let negative = kind == TokenKind::Sign("-");
        let millis = match (kind, self.tokens.get(self.next + 1).map(|token| &token.kind)) {
            (TokenKind::Text(text), _) => instant(&text).ok_or_else(|| {
                let forms = "'2026-02-01', '2026-02-01 08:30:00' or '08:30:00'";
                Mistake::new(span, format!("'{text}' is no date; write one as {forms}"))
            })?,
            (TokenKind::Int(millis), _) => millis,
            (_, Some(TokenKind::Int(millis))) if negative => {
                let millis = -*millis;
                self.next += 1;
                millis
            }
            _ => return Err(self.unexpected("a date in quotes, or milliseconds since 1970")),
        };
        if !date_in_range(millis) {
            return Err(Mistake::new(span, "dates go from the year 1400 to the year 9999"));
        }
        self.next += 1;
        let end = self.expect_sign("}")?;
        Ok(Expr { kind: ExprKind::Date(millis), span: start.to(end) })
    }

    /// Returns the day that is named next, if one is.
    pub(super) fn weekday(&self) -> Option<&'static str> {
        WEEKDAYS.into_iter().find(|day| self.peek_word(day))
    }

    /// Reads `MONDAY` or `MONDAY 08:00-16:30`.
    pub(super) fn shift(&mut self, day: &'static str) -> Parsed<Expr> {
        let start = self.expect_word(day)?;
        let mut shift = Shift { day: day.to_owned(), minutes: None };
        let mut end = start;
        if matches!(self.peek().kind, TokenKind::Int(_)) {
            let (begin, _) = self.time_of_day()?;
            self.expect_sign("-")?;
            let (last, span) = self.time_of_day()?;
            shift.minutes = Some((begin, last));
            end = span;
        }
        Ok(Expr { kind: ExprKind::Shift(shift), span: start.to(end) })
    }

    /// Reads what stands in a calendar in the place of a shift: a table, a
    /// filter, a zone.
    pub(super) fn no_shift(&mut self) -> Parsed<Expr> {
        let Token { kind, span } = self.peek().clone();
        let behind = self.tokens.get(self.next + 1).map(|token| &token.kind);
        if let (TokenKind::Word(word), Some(TokenKind::Int(_))) = (kind, behind)
            && !is_reserved(&word)
        {
            let hint = hint(&word, WEEKDAYS);
            return Err(Mistake::new(span, format!("there is no day \"{word}\"{hint}")));
        }
        self.argument()
    }

    /// Reads `08:00` as minutes after midnight.
    fn time_of_day(&mut self) -> Parsed<(u32, Span)> {
        let (hours, start) = self.digits("a time of day such as 08:00")?;
        self.expect_sign(":")?;
        let (minutes, end) = self.digits("minutes")?;
        let span = start.to(end);
        if minutes > 59 || hours * 60 + minutes > 24 * 60 {
            return Err(Mistake::new(span, "a time of day goes from 00:00 to 24:00"));
        }
        Ok(((hours * 60 + minutes) as u32, span))
    }

    fn digits(&mut self, expected: &str) -> Parsed<(i64, Span)> {
        match *self.peek() {
            Token { kind: TokenKind::Int(number), span } if number < 100 => {
                self.next += 1;
                Ok((number, span))
            }
            _ => Err(self.unexpected(expected)),
        }
    }
}

/// Reads a date, a date with a time (blank or T between them), or a time, which
/// is one of 1970-01-01.
fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(zoned) = text.parse::<jiff::Timestamp>() {
        return Some(zoned.as_millisecond());
    }
    let written = if text.contains('-') { text.to_owned() } else { format!("1970-01-01 {text}") };
    let wall: civil::DateTime = written.parse().ok()?;
    let micros = wall.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond();
    Some(Timestamp::from_micros(micros).as_millis())
}
