//! Which runs acted on which episode, and what that tells: pure functions over
//! what `mining` knows of episodes and `flows` of runs.
//!
//! A run belongs to the last episode of its record that had begun when the run
//! started. It acted *in time* if the condition still held then; a run that
//! came later has not made it go away.

use std::collections::HashMap;

use base::Timestamp;
use flows::{ActedOn, Outcome};
use mining::episodes::{Counts, Ending, Episode, Times, times};

/// An episode with what flows did about it.
pub(super) struct Joined<'a> {
    pub(super) episode: &'a Episode,
    /// Runs that started while it lasted, the first one first.
    pub(super) in_time: Vec<&'a ActedOn>,
    /// Runs that started after it had ended.
    pub(super) too_late: usize,
}

/// How the runs that acted on an episode have ended, all together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Acted {
    /// One of them did what it was to do.
    Succeeded,
    /// None did; one has not ended.
    UnderWay,
    /// None did; one came to its end with something that deserves a look.
    Warning,
    /// None did; one failed.
    Failed,
    /// A person ended all of them.
    Cancelled,
}

impl Joined<'_> {
    /// Tells how the runs that acted in time have ended; nothing if none did.
    pub(super) fn acted(&self) -> Option<Acted> {
        let has = |outcome: Option<Outcome>| self.in_time.iter().any(|run| run.outcome == outcome);
        let ways = [
            (Some(Outcome::Success), Acted::Succeeded),
            (None, Acted::UnderWay),
            (Some(Outcome::Warning), Acted::Warning),
            (Some(Outcome::Error), Acted::Failed),
            (Some(Outcome::Cancelled), Acted::Cancelled),
        ];
        ways.into_iter().find_map(|(outcome, acted)| has(outcome).then_some(acted))
    }
}

/// Finds the episode of each run. Both come from the same trigger.
pub(super) fn join<'a>(
    (model, trigger): (&str, &str),
    episodes: &'a [Episode],
    runs: impl IntoIterator<Item = &'a ActedOn>,
) -> Vec<Joined<'a>> {
    let mut joined: Vec<Joined<'a>> =
        episodes.iter().map(|episode| Joined { episode, in_time: Vec::new(), too_late: 0 }).collect();
    let mut of_record: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, episode) in episodes.iter().enumerate() {
        let link = episode.link(model, trigger);
        of_record.entry(link.names()[2].to_owned()).or_default().push(place);
    }
    for places in of_record.values_mut() {
        places.sort_by_key(|place| episodes[*place].number);
    }
    for run in runs {
        let places = of_record.get(&run.record).map(Vec::as_slice).unwrap_or_default();
        let begun = places.iter().rev().find(|place| episodes[**place].entered_recorded <= run.started_at);
        let Some(one) = begun.map(|place| &mut joined[*place]) else { continue };
        if one.episode.end.is_none_or(|end| run.started_at <= end.recorded) {
            one.in_time.push(run);
        } else {
            one.too_late += 1;
        }
    }
    joined
}

/// Episodes that are compared with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) counts: Counts,
    pub(super) times: Times,
}

/// The groups of those whose beginning was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// A run acted while they lasted.
    pub(super) acted_on: Group,
    /// Somebody listened, and no run acted while they lasted.
    pub(super) not_acted_on: Group,
    /// Nobody listened when they began.
    pub(super) before: Group,
}

/// Compares what was acted on with what was not, and with what came before
/// anybody listened.
pub(super) fn compare(joined: &[&Joined<'_>], since: Option<Timestamp>, now: Timestamp) -> Compared {
    let seen = || joined.iter().filter(|one| one.episode.seen);
    let is_before = |one: &Joined<'_>| since.is_none_or(|since| one.episode.entered_recorded < since);
    let group = |wanted: &dyn Fn(&Joined<'_>) -> bool| {
        let own = || seen().filter(|one| wanted(one)).map(|one| one.episode);
        Group { counts: Counts::of(own()), times: times(own().filter_map(|episode| episode.spell(now))) }
    };
    Compared {
        // Whoever is acted on is so, also if the episode had begun before.
        acted_on: group(&|one| !one.in_time.is_empty()),
        not_acted_on: group(&|one| one.in_time.is_empty() && !is_before(one)),
        before: group(&|one| one.in_time.is_empty() && is_before(one)),
    }
}

/// A span of the process clock, and what entered in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) counts: Counts,
    pub(super) acted_on: u64,
}

/// Counts episodes by the span in which they entered; spans without any are
/// left out. Spans of a week begin on Monday.
pub(super) fn spans(joined: &[&Joined<'_>], length: Length) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for one in joined {
        let from = length.floor(one.episode.entered_at);
        if spans.last().is_none_or(|span| span.from != from) {
            spans.push(Span { from, counts: Counts::default(), acted_on: 0 });
        }
        let span = spans.last_mut().expect("it was just put there");
        span.counts.add(one.episode);
        span.acted_on += u64::from(!one.in_time.is_empty());
    }
    spans
}

/// How long a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Hour,
    Day,
    Week,
}

impl Length {
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "hour" => Some(Length::Hour),
            "day" => Some(Length::Day),
            "week" => Some(Length::Week),
            _ => None,
        }
    }

    fn floor(self, at: Timestamp) -> Timestamp {
        const HOUR: i64 = 3_600_000_000;
        // 1970 began on a Thursday.
        let (length, first) = match self {
            Length::Hour => (HOUR, 0),
            Length::Day => (24 * HOUR, 0),
            Length::Week => (7 * 24 * HOUR, 4 * 24 * HOUR),
        };
        Timestamp::from_micros((at.as_micros() - first).div_euclid(length) * length + first)
    }
}

/// Counts endings that say that the condition went away, by what made it.
pub(super) fn left_by(counts: &Counts) -> [u64; 4] {
    [Ending::Chain, Ending::Rows, Ending::Time, Ending::CatchUp].map(|ending| counts.ended_by(ending))
}

#[cfg(test)]
mod tests {
    use flows::RunId;
    use mining::episodes::End;

    use super::*;

    /// Reads `RECORD NUMBER ENTERED [LEFT ENDING]`, in hours of both clocks.
    fn episode(text: &str) -> Episode {
        let words: Vec<&str> = text.split_whitespace().collect();
        let at = |word: &str| Timestamp::from_millis(3_600_000 * word.parse::<i64>().expect("an hour"));
        let end = words.get(3).map(|left| End {
            ending: if words[4] == "chain" { Ending::Chain } else { Ending::MadeRoom },
            at: at(left),
            recorded: at(left),
        });
        Episode {
            identifier: words[0].to_owned(),
            number: words[1].parse().expect("a number"),
            seen: true,
            timed: true,
            entered_at: at(words[2]),
            entered_recorded: at(words[2]),
            end,
        }
    }

    /// Reads `RECORD STARTED [OUTCOME]`.
    fn run(text: &str) -> ActedOn {
        let words: Vec<&str> = text.split_whitespace().collect();
        ActedOn {
            record: words[0].to_owned(),
            flow: "f".to_owned(),
            run: RunId::from_bytes([0; 16]),
            started_at: Timestamp::from_millis(3_600_000 * words[1].parse::<i64>().expect("an hour")),
            outcome: words.get(2).and_then(|word| Outcome::named(word)),
        }
    }

    fn check(episodes: &[&str], runs: &[&str], expected: &[&str]) {
        let episodes: Vec<Episode> = episodes.iter().map(|text| episode(text)).collect();
        let runs: Vec<ActedOn> = runs.iter().map(|text| run(text)).collect();
        let told = |one: &Joined<'_>| {
            let acted = match one.acted() {
                None => "nobody",
                Some(Acted::Succeeded) => "succeeded",
                Some(Acted::UnderWay) => "under way",
                Some(Acted::Warning) => "warning",
                Some(Acted::Failed) => "failed",
                Some(Acted::Cancelled) => "cancelled",
            };
            let (id, number) = (&one.episode.identifier, one.episode.number);
            format!("{id}/{number} {acted} {} {}", one.in_time.len(), one.too_late)
        };
        let found: Vec<String> = join(("p.km", "T"), &episodes, &runs).iter().map(told).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_run_belongs_to_the_last_episode_that_had_begun() {
        check(&["a 1 1"], &["a 2"], &["a/1 under way 1 0"]);
        check(&["a 1 1 3 chain"], &["a 3 error"], &["a/1 failed 1 0"]);
        check(&["a 1 1 3 chain"], &["a 4 success"], &["a/1 nobody 0 1"]);
        check(&["a 1 1 3 chain", "a 2 5"], &["a 6 success"], &["a/1 nobody 0 0", "a/2 succeeded 1 0"]);
        // Their order here is that of the process clock, which may be set back.
        check(&["a 2 5", "a 1 1 3 chain"], &["a 2"], &["a/2 nobody 0 0", "a/1 under way 1 0"]);
        check(&["a 1 2"], &["a 1 success", "b 3 success"], &["a/1 nobody 0 0"]);
    }

    #[test]
    fn one_run_that_did_it_is_enough() {
        check(&["a 1 1"], &["a 2 error", "a 3", "a 4 success"], &["a/1 succeeded 3 0"]);
        check(&["a 1 1"], &["a 2 error", "a 3"], &["a/1 under way 2 0"]);
        check(&["a 1 1"], &["a 2 error", "a 3 warning"], &["a/1 warning 2 0"]);
        check(&["a 1 1"], &["a 2 cancelled", "a 3 error"], &["a/1 failed 2 0"]);
    }

    #[test]
    fn every_episode_stands_in_one_group() {
        let episodes: Vec<Episode> =
            ["a 1 1 3 chain", "b 1 2 6 chain", "c 1 5 6 chain", "d 1 5", "e 1 7 8 room"].map(episode).into();
        let runs = [run("a 2 success"), run("c 5 error")];
        let joined = join(("p.km", "T"), &episodes, &runs);
        let wanted: Vec<&Joined<'_>> = joined.iter().collect();
        let told = |since: Option<i64>| {
            let hours = |hours: i64| Timestamp::from_millis(3_600_000 * hours);
            let compared = compare(&wanted, since.map(hours), hours(10));
            [compared.acted_on, compared.not_acted_on, compared.before].map(|group| {
                let median = group.times.median.map(|time| time.as_secs() / 3_600);
                (group.counts.entered, group.counts.left(), group.counts.open, median)
            })
        };
        assert_eq!(told(Some(5)), [(2, 2, 0, Some(1)), (2, 0, 1, None), (1, 1, 0, Some(4))]);
        assert_eq!(told(None), [(2, 2, 0, Some(1)), (0, 0, 0, None), (3, 1, 1, Some(4))]);
    }

    #[test]
    fn spans_begin_at_full_hours_at_midnight_and_on_monday() {
        let at: Timestamp = "2026-03-04T10:20:30Z".parse().expect("a Wednesday");
        let floors = [Length::Hour, Length::Day, Length::Week].map(|length| length.floor(at).to_string());
        assert_eq!(floors, ["2026-03-04T10:00:00.000Z", "2026-03-04T00:00:00.000Z", "2026-03-02T00:00:00.000Z"]);
        assert_eq!(Length::Week.floor(Timestamp::EPOCH).to_string(), "1969-12-29T00:00:00.000Z");
    }
}
