//! Working time: which milliseconds count, and how many there are between two.
//!
//! A calendar numbers its working milliseconds in their order. Everything else
//! follows from the two directions of that numbering, [`Calendar::before`] and
//! [`Calendar::at`]: the time between two instants is the difference of their
//! numbers, and an instant moved by some working time is the one whose number
//! is that much larger. Both look up sums that were computed when the calendar
//! was made, in O(log shifts), however far the instants are apart.
//!
//! Shifts of a week are times on the wall. In a zone whose clocks change they
//! are translated stretch by stretch, a stretch being the time from one change
//! to the next: an hour that the clocks skip is not worked, one that they
//! repeat is worked twice.

use std::ops::Range;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
const WEEK: i64 = 7 * DAY;

/// 1970-01-05, a Monday.
const MONDAY: i64 = 4 * DAY;

/// Changes of clocks are known from 1900 up to here (2200); then the last
/// offset stays.
const CHANGES_UNTIL: i64 = 7_258_118_400_000;
const CHANGES_FROM: i64 = -2_208_988_800_000;

/// Where two endless calendars of different zones are compared day by day:
/// 1970 to 2100.
const COMMON: Range<i64> = 0..4_102_444_800_000;

/// Working time.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    track: Track,
    /// Where wall time runs alongside UTC; empty if it always does.
    stretches: Vec<Stretch>,
    zone: TimeZone,
    /// Outside of it nothing is known.
    scope: Option<Range<i64>>,
    /// Days on which there is any work, whole, in wall time.
    days: Track,
}

/// Sorted spans that do not touch, and how much lies before each.
#[derive(Clone, Debug, Default, PartialEq)]
struct Track {
    /// Begin, end, and the length of all spans before.
    spans: Vec<(i64, i64, i64)>,
    /// Whether they repeat every week from [`MONDAY`] on.
    weekly: bool,
    total: i64,
}

/// From one change of the clocks to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    from: i64,
    /// What is added to UTC.
    offset: i64,
    /// The number of the first working millisecond from `from` on.
    before: i64,
}

impl Track {
    fn new(mut spans: Vec<(i64, i64)>, weekly: bool) -> Self {
        spans.retain(|(begin, end)| begin < end);
        spans.sort_unstable();
        let mut track = Track { weekly, ..Track::default() };
        for (begin, end) in spans {
            match track.spans.last_mut() {
                Some((_, last, _)) if begin <= *last => {
                    track.total += (end - *last).max(0);
                    *last = end.max(*last);
                }
                _ => {
                    track.spans.push((begin, end, track.total));
                    track.total += end - begin;
                }
            }
        }
        track
    }

    /// Splits into weeks and the rest of one.
    fn in_week(&self, at: i64) -> (i64, i64) {
        if self.weekly { ((at - MONDAY).div_euclid(WEEK), (at - MONDAY).rem_euclid(WEEK)) } else { (0, at) }
    }

    fn before(&self, at: i64) -> i64 {
        let (weeks, at) = self.in_week(at);
        let next = self.spans.partition_point(|(begin, ..)| *begin <= at);
        let own = match next.checked_sub(1).map(|last| self.spans[last]) {
            Some((begin, end, before)) => before + (at.min(end) - begin),
            None => 0,
        };
        weeks * self.total + own
    }

    fn at(&self, number: i64) -> Option<i64> {
        if self.total == 0 {
            return None;
        }
        let (start, rest) = if self.weekly {
            (MONDAY + number.div_euclid(self.total) * WEEK, number.rem_euclid(self.total))
        } else {
            (0, number)
        };
        let next = self.spans.partition_point(|(.., before)| *before <= rest);
        let (begin, end, before) = self.spans[next.checked_sub(1)?];
        let at = begin + (rest - before);
        (at < end).then_some(start + at)
    }

    fn covers(&self, at: i64) -> bool {
        let (_, at) = self.in_week(at);
        let next = self.spans.partition_point(|(begin, ..)| *begin <= at);
        next > 0 && at < self.spans[next - 1].1
    }

    /// Lists the spans that meet a range, cut to it.
    fn within(&self, range: &Range<i64>) -> Vec<(i64, i64)> {
        let mut found = Vec::new();
        let mut add = |begin: i64, end: i64| {
            let (begin, end) = (begin.max(range.start), end.min(range.end));
            if begin < end {
                found.push((begin, end));
            }
        };
        if self.weekly {
            for week in self.in_week(range.start).0..=self.in_week(range.end).0 {
                let monday = MONDAY + week * WEEK;
                self.spans.iter().for_each(|(begin, end, _)| add(monday + begin, monday + end));
            }
        } else {
            self.spans.iter().for_each(|(begin, end, _)| add(*begin, *end));
        }
        found
    }
}

/// What two lists of spans have in common.
fn common(one: &[(i64, i64)], other: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let (mut one, mut other) = (one.iter().copied().peekable(), other.iter().copied().peekable());
    let mut found = Vec::new();
    while let (Some(left), Some(right)) = (one.peek().copied(), other.peek().copied()) {
        found.push((left.0.max(right.0), left.1.min(right.1)));
        if left.1 <= right.1 {
            one.next();
        } else {
            other.next();
        }
    }
    found
}

/// The whole days that spans meet.
fn whole_days(spans: impl IntoIterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let day = |(begin, end): (i64, i64)| (begin.div_euclid(DAY) * DAY, ((end - 1).div_euclid(DAY) + 1) * DAY);
    spans.into_iter().filter(|(begin, end)| begin < end).map(day).collect()
}

impl Calendar {
    /// Makes a calendar of weekly shifts: day (0 is Monday), begin and end in
    /// milliseconds after midnight. A shift whose end is before its begin ends
    /// on the next day; one whose end is its begin is none.
    pub fn weekly(shifts: impl IntoIterator<Item = (usize, i64, i64)>, zone: TimeZone) -> Self {
        let (mut spans, mut days) = (Vec::new(), Vec::new());
        for (day, begin, end) in shifts {
            if begin == end {
                continue;
            }
            let midnight = day as i64 * DAY;
            let end = if end < begin { end + DAY } else { end };
            spans.push((midnight + begin, (midnight + end).min(WEEK)));
            // The night from Sunday to Monday.
            spans.push((0, midnight + end - WEEK));
            days.push((midnight, midnight + DAY));
        }
        Calendar::of(Track::new(spans, true), Track::new(days, true), zone, None)
    }

    /// Makes a calendar of exact intervals. What is known is the years from
    /// that of the first interval to that of the last.
    pub fn intervals(intervals: Vec<(i64, i64)>) -> Self {
        let track = Track::new(intervals, false);
        let scope = match (track.spans.first(), track.spans.last()) {
            (Some((first, ..)), Some((_, last, _))) => years(year_of(*first), year_of(*last - 1)),
            _ => 0..0,
        };
        let days = whole_days(track.spans.iter().map(|(begin, end, _)| (*begin, *end)));
        Calendar::of(track, Track::new(days, false), TimeZone::UTC, Some(scope))
    }

    /// Makes a calendar of whole days, each the number of days since 1970, on
    /// the wall of a zone. What is known is the given years.
    pub fn days(days: impl IntoIterator<Item = i64>, known: Range<i64>, zone: &TimeZone) -> Self {
        let days = Track::new(days.into_iter().map(|day| (day * DAY, (day + 1) * DAY)).collect(), false);
        let spans = days.spans.iter().map(|(begin, end, _)| (from_wall(zone, *begin), from_wall(zone, *end)));
        let scope = from_wall(zone, known.start)..from_wall(zone, known.end);
        Calendar::of(Track::new(spans.collect(), false), days.clone(), zone.clone(), Some(scope))
    }

    fn of(track: Track, days: Track, zone: TimeZone, scope: Option<Range<i64>>) -> Self {
        let mut calendar = Calendar { track, stretches: Vec::new(), zone, scope, days };
        if calendar.track.weekly && calendar.zone != TimeZone::UTC {
            calendar.stretches = stretches(&calendar.zone, &calendar.track);
        }
        calendar
    }

    /// Makes a calendar of what two have in common.
    pub fn intersect(&self, other: &Calendar) -> Calendar {
        if self.track.weekly && other.track.weekly && self.zone == other.zone {
            let week = MONDAY..MONDAY + WEEK;
            let in_week = |spans: Vec<(i64, i64)>| spans.into_iter().map(|(b, e)| (b - MONDAY, e - MONDAY)).collect();
            let spans: Vec<_> = in_week(common(&self.track.within(&week), &other.track.within(&week)));
            let days = Track::new(whole_days(spans.iter().copied()), true);
            return Calendar::of(Track::new(spans, true), days, self.zone.clone(), None);
        }
        let scope = match (&self.scope, &other.scope) {
            (None, None) => COMMON,
            (Some(scope), None) | (None, Some(scope)) => scope.clone(),
            (Some(one), Some(other)) => {
                let start = one.start.max(other.start);
                start..one.end.min(other.end).max(start)
            }
        };
        let spans = common(&self.within(&scope), &other.within(&scope));
        let zone = if self.zone == TimeZone::UTC { other.zone.clone() } else { self.zone.clone() };
        let walls = spans.iter().map(|(begin, end)| (to_wall(&zone, *begin), to_wall(&zone, *end - 1) + 1));
        let days = Track::new(whole_days(walls), false);
        Calendar::of(Track::new(spans, false), days, zone, Some(scope))
    }

    /// Lists the working time in a range of instants.
    fn within(&self, range: &Range<i64>) -> Vec<(i64, i64)> {
        if self.stretches.is_empty() {
            return self.track.within(range);
        }
        let mut found = Vec::new();
        for (place, stretch) in self.stretches.iter().enumerate() {
            let until = self.stretches.get(place + 1).map_or(i64::MAX, |next| next.from);
            let (from, until) = (stretch.from.max(range.start), until.min(range.end));
            if from < until {
                let walls = self.track.within(&(from + stretch.offset..until + stretch.offset));
                found.extend(walls.into_iter().map(|(begin, end)| (begin - stretch.offset, end - stretch.offset)));
            }
        }
        found
    }

    /// Returns where its days and shifts are read from the wall.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Tells whether anything is known of an instant.
    pub fn knows(&self, at: i64) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.contains(&at))
    }

    /// Tells where an instant lies: before what is known (-1), within (0), or
    /// behind (1).
    pub fn side(&self, at: i64) -> i8 {
        match &self.scope {
            Some(scope) if at < scope.start => -1,
            Some(scope) if at >= scope.end => 1,
            _ => 0,
        }
    }

    /// Tells whether an instant is working time.
    pub fn covers(&self, at: i64) -> bool {
        match self.stretch(at) {
            None => self.track.covers(at),
            Some(stretch) => self.track.covers(at + stretch.offset),
        }
    }

    /// Returns the number of the first working millisecond from an instant on.
    pub fn before(&self, at: i64) -> i64 {
        match self.stretch(at) {
            None => self.track.before(at),
            Some(Stretch { from, offset, before }) => {
                before + self.track.before(at + offset) - self.track.before(from + offset)
            }
        }
    }

    /// Returns the working millisecond that has a number, if there is one.
    pub fn at(&self, number: i64) -> Option<i64> {
        if self.stretches.is_empty() {
            return self.track.at(number);
        }
        let next = self.stretches.partition_point(|stretch| stretch.before <= number);
        let stretch = self.stretches[next.saturating_sub(1)];
        let in_track = number - stretch.before + self.track.before(stretch.from + stretch.offset);
        Some(self.track.at(in_track)? - stretch.offset)
    }

    fn stretch(&self, at: i64) -> Option<Stretch> {
        let next = self.stretches.partition_point(|stretch| stretch.from <= at);
        let place = next.saturating_sub(1);
        self.stretches.get(place).copied()
    }

    /// Returns the working milliseconds from one instant to another, below 0
    /// if the other is earlier; nothing outside of what is known.
    pub fn between(&self, from: i64, to: i64) -> Option<i64> {
        (self.knows(from) && self.knows(to)).then(|| self.before(to) - self.before(from))
    }

    /// Moves an instant by working milliseconds. The result is working time:
    /// with the end of a shift begins the next one. An instant that is no
    /// working time counts as the next one that is.
    pub fn add(&self, at: i64, millis: i64) -> Option<i64> {
        if !self.knows(at) {
            return None;
        }
        let number = self.before(at).checked_add(millis)?;
        // All working time is over: its end is the best answer.
        let moved = self.at(number).or_else(|| self.at(number - 1).map(|last| last + 1))?;
        self.knows(moved).then_some(moved)
    }

    /// Returns the working milliseconds since 1970.
    pub fn since_1970(&self, at: i64) -> Option<i64> {
        self.knows(at).then(|| self.before(at) - self.before(0))
    }

    /// Returns the working days from the day of one instant to that of
    /// another, which is not counted.
    pub fn workdays_between(&self, from: i64, to: i64) -> Option<i64> {
        let day = |at: i64| self.days.before(to_wall(&self.zone, at).div_euclid(DAY) * DAY) / DAY;
        (self.knows(from) && self.knows(to)).then(|| day(to) - day(from))
    }

    /// Moves an instant by working days and keeps the time on the wall. A day
    /// without work counts as the next one that has some.
    pub fn add_workdays(&self, at: i64, days: i64) -> Option<i64> {
        if !self.knows(at) {
            return None;
        }
        let wall = to_wall(&self.zone, at);
        let number = self.days.before(wall.div_euclid(DAY) * DAY).checked_add(days.checked_mul(DAY)?)?;
        let moved = from_wall(&self.zone, self.days.at(number)? + wall.rem_euclid(DAY));
        self.knows(moved).then_some(moved)
    }

    /// Returns the next instant after `at` at which working time begins or
    /// ends, if there is one.
    pub fn next_edge(&self, at: i64) -> Option<i64> {
        let number = self.before(at + 1);
        if !self.covers(at) {
            return self.at(number).filter(|next| *next > at);
        }
        // The first millisecond from which the numbers no longer keep step.
        let (mut low, mut high) = (at + 1, at + 1);
        let mut step = MINUTE;
        while self.before(high) - number == high - at - 1 {
            low = high;
            high = high.checked_add(step)?;
            step = step.checked_mul(2).filter(|step| *step < 1 << 50)?;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.before(middle) - number == middle - at - 1 {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(low)
    }
}

fn stretches(zone: &TimeZone, track: &Track) -> Vec<Stretch> {
    let Ok(start) = jiff::Timestamp::from_millisecond(CHANGES_FROM) else { return Vec::new() };
    let millis = |offset: jiff::tz::Offset| i64::from(offset.seconds()) * 1_000;
    let mut found = vec![Stretch { from: CHANGES_FROM, offset: millis(zone.to_offset(start)), before: 0 }];
    for change in zone.following(start) {
        let from = change.timestamp().as_millisecond();
        if from >= CHANGES_UNTIL {
            break;
        }
        let last = found[found.len() - 1];
        let offset = millis(change.offset());
        if offset != last.offset {
            let worked = track.before(from + last.offset) - track.before(last.from + last.offset);
            found.push(Stretch { from, offset, before: last.before + worked });
        }
    }
    found
}

fn year_of(millis: i64) -> i16 {
    day_of(millis.div_euclid(DAY)).map_or(1970, Date::year)
}

fn day_of(days: i64) -> Option<Date> {
    date(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// Returns the days since 1970 of a date.
pub fn days_since_1970(day: Date) -> i64 {
    let span = date(1970, 1, 1).until(day).unwrap_or_default();
    i64::from(span.get_days())
}

/// Returns the milliseconds of some years, the last one included.
pub fn years(first: i16, last: i16) -> Range<i64> {
    let start = |year: i16| days_since_1970(date(year.clamp(-9_998, 9_998), 1, 1)) * DAY;
    start(first)..start(last.saturating_add(1))
}

/// Returns what the wall shows at an instant, as if it were UTC.
pub(crate) fn to_wall(zone: &TimeZone, at: i64) -> i64 {
    match jiff::Timestamp::from_millisecond(at) {
        Ok(instant) => at + i64::from(zone.to_offset(instant).seconds()) * 1_000,
        Err(_) => at,
    }
}

/// Returns the instant at which the wall shows a time. A time that is skipped
/// counts on from before the change, one that is repeated is the first.
pub(crate) fn from_wall(zone: &TimeZone, wall: i64) -> i64 {
    let Ok(as_utc) = jiff::Timestamp::from_millisecond(wall) else { return wall };
    let civil = TimeZone::UTC.to_datetime(as_utc);
    zone.to_ambiguous_timestamp(civil).compatible().map_or(wall, jiff::Timestamp::as_millisecond)
}
