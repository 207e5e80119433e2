//! Episodes, as they are written down beside the matched set and in its
//! transactions: so nothing is counted twice, whatever crashes in between.

use std::sync::Arc;

use base::causes::Link;
use base::db::{Error, Row, Tx, Value};
use base::{Causes, Timestamp, args};

use crate::episodes::{Counts, End, Ending, Episode, Window};
use crate::matched_set::Difference;
use crate::ports::Reason;

/// Episodes of a trigger that are kept after their end, at most.
pub(crate) const KEPT: u64 = if cfg!(test) { 50 } else { 50_000 };

/// On what occasion sets are moved.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// The instant of the evaluation, on the process clock.
    pub(crate) at: Timestamp,
    /// The same on the wall clock.
    pub(crate) recorded: Timestamp,
    pub(crate) reason: Reason,
    /// What led to the rows that were looked at.
    pub(crate) causes: Causes,
}

impl Moment {
    /// Tells how the episode of an instance that leaves has ended.
    fn ending(&self, model: &str, trigger: &str, identifier: &str, silent: bool) -> Ending {
        match self.reason {
            Reason::SetBack => Ending::SetBack,
            Reason::LogicChange => Ending::Redefined,
            _ if silent => Ending::Redefined,
            _ if self.causes.links().contains(&Link::new([model, trigger, identifier])) => Ending::Chain,
            Reason::Data | Reason::LateData => Ending::Rows,
            Reason::Time => Ending::Time,
            Reason::CatchUp => Ending::CatchUp,
        }
    }
}

/// Writes down the episodes that a part of a difference begins and ends.
pub(crate) fn move_episodes(
    tx: &mut dyn Tx,
    (model, trigger): (&str, &str),
    part: &Difference,
    silent: bool,
    moment: &Moment,
) -> Result<(), Error> {
    let leaving = part.leaves.iter().map(|it| (it.clone(), moment.ending(model, trigger, it, silent)));
    let making_room = part.displaced.iter().map(|it| (it.clone(), Ending::MadeRoom));
    end(tx, (model, trigger), &leaving.chain(making_room).collect::<Vec<_>>(), moment)?;
    if part.enters.is_empty() {
        return Ok(());
    }
    let set = |enter: &crate::matched_set::Enter| {
        args![model, trigger, &*enter.identifier, enter.episode, !silent, moment.at, moment.recorded].to_vec()
    };
    let sets: Vec<Vec<Value>> = part.enters.iter().map(set).collect();
    let begun = tx.execute_many(
        "INSERT INTO mining_episodes
            (model, trigger_id, identifier, episode, seen, timed, entered_at, entered_recorded)
         VALUES ($1, $2, $3, $4, $5, 1, $6, $7) ON CONFLICT (model, trigger_id, identifier, episode) DO NOTHING",
        &sets,
    )?;
    let (entered, found) = if silent { (0, begun) } else { (begun, 0) };
    tx.execute(
        "INSERT INTO mining_episode_counts (model, trigger_id, entered, found, ended) VALUES ($1, $2, $3, $4, 0)
         ON CONFLICT (model, trigger_id) DO UPDATE SET entered = mining_episode_counts.entered + excluded.entered,
            found = mining_episode_counts.found + excluded.found",
        args![model, trigger, entered, found],
    )?;
    Ok(())
}

/// Ends the open episodes of a trigger that is not watched any more.
pub(crate) fn end_all(
    tx: &mut dyn Tx,
    (model, trigger): (&str, &str),
    at: Timestamp,
    recorded: Timestamp,
) -> Result<(), Error> {
    let rows = tx.query(
        "SELECT identifier FROM mining_episodes WHERE model = $1 AND trigger_id = $2 AND ended IS NULL
         ORDER BY identifier",
        args![model, trigger],
    )?;
    let open = rows.iter().map(|row| Ok((Arc::from(row.get::<String>(0)?), Ending::Redefined)));
    let moment = Moment { at, recorded, reason: Reason::LogicChange, causes: Causes::NONE };
    end(tx, (model, trigger), &open.collect::<Result<Vec<_>, Error>>()?, &moment)
}

/// Takes note that nobody can tell how long what lasts has lasted: the process
/// clock of the model was set back.
pub(crate) fn untime(tx: &mut dyn Tx, model: &str) -> Result<(), Error> {
    tx.execute("UPDATE mining_episodes SET timed = 0 WHERE model = $1 AND ended IS NULL AND timed <> 0", args![model])?;
    Ok(())
}

/// Ends the open episodes of instances; whoever has none is passed over, and
/// leaves a gap in their numbers.
fn end(
    tx: &mut dyn Tx,
    (model, trigger): (&str, &str),
    leaving: &[(Arc<str>, Ending)],
    moment: &Moment,
) -> Result<(), Error> {
    if leaving.is_empty() {
        return Ok(());
    }
    let row = tx.query_one(
        "UPDATE mining_episode_counts SET ended = ended + $3 WHERE model = $1 AND trigger_id = $2 RETURNING ended",
        args![model, trigger, leaving.len()],
    )?;
    // Nothing has ever entered: there is nothing to end.
    let Some(row) = row else { return Ok(()) };
    let last: u64 = row.get(0)?;
    let mut number = last - leaving.len() as u64;
    for ending in Ending::ALL {
        let these = leaving.iter().filter(|(_, own)| *own == ending);
        let sets: Vec<Vec<Value>> = these
            .map(|(identifier, _)| {
                number += 1;
                args![model, trigger, &**identifier, ending.word(), moment.at, moment.recorded, number].to_vec()
            })
            .collect();
        if sets.is_empty() {
            continue;
        }
        // Clocks are set; nothing leaves before it has entered all the same.
        let ended = tx.execute_many(
            "UPDATE mining_episodes SET ending = $4, ended = $7,
                left_at = CASE WHEN entered_at > $5 THEN entered_at ELSE $5 END,
                left_recorded = CASE WHEN entered_recorded > $6 THEN entered_recorded ELSE $6 END
             WHERE model = $1 AND trigger_id = $2 AND identifier = $3 AND ended IS NULL",
            &sets,
        )?;
        if ended == 0 {
            // They had made room before.
            continue;
        }
        tx.execute(
            "INSERT INTO mining_episode_endings (model, trigger_id, ending, episodes) VALUES ($1, $2, $3, $4)
             ON CONFLICT (model, trigger_id, ending)
             DO UPDATE SET episodes = mining_episode_endings.episodes + excluded.episodes",
            args![model, trigger, ending.word(), ended],
        )?;
    }
    forget(tx, (model, trigger), last)
}

/// Forgets the episodes that ended before the last so many.
fn forget(tx: &mut dyn Tx, (model, trigger): (&str, &str), last: u64) -> Result<(), Error> {
    let Some(through) = last.checked_sub(KEPT).filter(|through| *through > 0) else { return Ok(()) };
    let own = args![model, trigger, through];
    let row = tx.query_one(
        "SELECT MAX(entered_at) FROM mining_episodes WHERE model = $1 AND trigger_id = $2 AND ended <= $3",
        own,
    )?;
    let Some(entered) = row.map_or(Ok(None), |row| row.get::<Option<Timestamp>>(0))? else { return Ok(()) };
    tx.execute("DELETE FROM mining_episodes WHERE model = $1 AND trigger_id = $2 AND ended <= $3", own)?;
    tx.execute(
        "UPDATE mining_episode_counts SET forgotten = $3
         WHERE model = $1 AND trigger_id = $2 AND (forgotten IS NULL OR forgotten < $3)",
        args![model, trigger, entered],
    )?;
    Ok(())
}

/// Counts the episodes of a trigger since it is watched; the second part is
/// when the last one that was forgotten had entered. Nothing of a trigger that
/// never had one.
pub(crate) fn counts(
    tx: &mut dyn Tx,
    (model, trigger): (&str, &str),
) -> Result<Option<(Counts, Option<Timestamp>)>, Error> {
    let row = tx.query_one(
        "SELECT entered, found, forgotten FROM mining_episode_counts WHERE model = $1 AND trigger_id = $2",
        args![model, trigger],
    )?;
    let Some(row) = row else { return Ok(None) };
    let mut counts = Counts { entered: row.get(0)?, found: row.get(1)?, ..Counts::default() };
    let rows = tx.query(
        "SELECT ending, episodes FROM mining_episode_endings WHERE model = $1 AND trigger_id = $2",
        args![model, trigger],
    )?;
    for row in &rows {
        let ending = Ending::named(&row.get::<String>(0)?).ok_or(Error::Shape { column: 0 })?;
        *counts.ended.entry(ending).or_default() += row.get::<u64>(1)?;
    }
    let open = tx.query_one(
        "SELECT COUNT(*) FROM mining_episodes WHERE model = $1 AND trigger_id = $2 AND ended IS NULL",
        args![model, trigger],
    )?;
    counts.open = open.map_or(Ok(0), |row| row.get(0))?;
    Ok(Some((counts, row.get(2)?)))
}

/// Reads the episodes that entered within a window of the process clock, the
/// latest ones first, at most so many.
pub(crate) fn episodes(
    tx: &mut dyn Tx,
    (model, trigger): (&str, &str),
    window: &Window,
    limit: u64,
) -> Result<Vec<Episode>, Error> {
    let from = window.from.unwrap_or(Timestamp::from_micros(i64::MIN));
    let to = window.to.unwrap_or(Timestamp::from_micros(i64::MAX));
    let rows = tx.query(
        "SELECT identifier, episode, seen, timed, entered_at, entered_recorded, ending, left_at, left_recorded
         FROM mining_episodes WHERE model = $1 AND trigger_id = $2 AND entered_at >= $3 AND entered_at < $4
         ORDER BY entered_at DESC LIMIT $5",
        args![model, trigger, from, to, limit],
    )?;
    rows.iter().map(episode).collect()
}

fn episode(row: &Row) -> Result<Episode, Error> {
    let ending: Option<String> = row.get(6)?;
    let end = ending.map(|word| {
        let ending = Ending::named(&word).ok_or(Error::Shape { column: 6 })?;
        Ok(End { ending, at: row.get(7)?, recorded: row.get(8)? })
    });
    Ok(Episode {
        identifier: row.get(0)?,
        number: row.get(1)?,
        seen: row.get(2)?,
        timed: row.get(3)?,
        entered_at: row.get(4)?,
        entered_recorded: row.get(5)?,
        end: end.transpose()?,
    })
}
