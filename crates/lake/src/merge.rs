//! Rows in the order of their keys.
//!
//! The files of a table with keys are written in that order, so that each of
//! them holds a narrow stretch of it and few have to be opened for the sake of
//! a key. New rows are sorted; what is there is in order already, and the two
//! are laid into each other batch by batch, never as a whole in memory. Should
//! a file not be in order, after a column has changed its type for instance,
//! no row is lost over it: the result is only less well ordered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::row::Rows as KeyRows;
use pools::TablesError;

use crate::error::failed;
use crate::files::BATCH_ROWS;
use crate::keys::{Coder, Key};

/// Batches of the writer's schema, one after the other.
pub(crate) type Stream<'a> = Box<dyn Iterator<Item = Result<RecordBatch, TablesError>> + 'a>;

/// Rows that are in order.
pub(crate) struct Run<'a> {
    /// Where no row of it comes before, if that is known.
    pub(crate) low: Option<Key>,
    /// Opens it, when its turn comes.
    pub(crate) open: Box<dyn FnOnce() -> Result<Stream<'a>, TablesError> + 'a>,
}

impl<'a> Run<'a> {
    /// Sorts batches that lie in memory.
    pub(crate) fn sorted(coder: &Coder, batches: Vec<RecordBatch>) -> Result<Run<'a>, TablesError> {
        let keys: Result<Vec<_>, _> = batches.iter().map(|batch| coder.keys(batch)).collect();
        let keys = keys.map_err(failed)?;
        let mut places = Vec::with_capacity(keys.iter().map(KeyRows::num_rows).sum());
        for (batch, keys) in keys.iter().enumerate() {
            places.extend((0..keys.num_rows()).map(|row| (batch, row)));
        }
        let key = |(batch, row): (usize, usize)| keys[batch].row(row);
        // Rows with the same key stay in the order of their arrival.
        places.sort_by(|one, other| key(*one).cmp(&key(*other)));
        let low = places.first().map(|first| Key::from(key(*first).data()));
        let mut at = 0;
        let sorted = std::iter::from_fn(move || {
            let some = places.get(at..)?.chunks(BATCH_ROWS).next()?;
            at += some.len();
            let batches: Vec<&RecordBatch> = batches.iter().collect();
            Some(interleave_record_batch(&batches, some).map_err(failed))
        });
        Ok(Run { low, open: Box::new(move || Ok(Box::new(sorted))) })
    }
}

/// A run that is being read.
struct Open<'a> {
    stream: Stream<'a>,
    /// The place of its batch among those that rows are taken from.
    batch: usize,
    keys: KeyRows,
    row: usize,
}

/// Lays runs into each other and hands on the result, batch by batch. Of rows
/// with the same key those of an earlier run come first.
pub(crate) fn merge(
    coder: &Coder,
    mut runs: Vec<Run<'_>>,
    take: &mut dyn FnMut(&RecordBatch) -> Result<(), TablesError>,
) -> Result<(), TablesError> {
    // Those that begin last wait at the bottom, unopened.
    runs.sort_by(|one, other| other.low.cmp(&one.low));
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut heads: BinaryHeap<Reverse<(Key, usize)>> = BinaryHeap::new();
    let mut sources: Vec<RecordBatch> = Vec::new();
    let mut places: Vec<(usize, usize)> = Vec::new();
    loop {
        let is_next = |run: &Run<'_>, heads: &BinaryHeap<Reverse<(Key, usize)>>| match (&run.low, heads.peek()) {
            (Some(low), Some(Reverse((head, _)))) => low <= head,
            _ => true,
        };
        while runs.last().is_some_and(|run| is_next(run, &heads)) {
            let run = runs.pop().expect("it was just looked at");
            let mut next = Open { stream: (run.open)()?, batch: 0, keys: coder.empty(), row: 0 };
            if let Some(key) = advance(&mut next, coder, &mut sources)? {
                heads.push(Reverse((key, open.len())));
                open.push(next);
            }
        }
        let Some(Reverse((_, place))) = heads.pop() else { break };
        let run = &mut open[place];
        // As long as nobody else has a smaller key, the rows come from here.
        let bound = heads.peek().map(|Reverse((key, _))| key);
        let waiting = runs.last().and_then(|run| run.low.as_ref());
        let bound = bound.into_iter().chain(waiting).min();
        let first = run.row;
        run.row += 1;
        while run.row < run.keys.num_rows() && places.len() + run.row - first < BATCH_ROWS {
            if bound.is_some_and(|bound| run.keys.row(run.row).data() >= &**bound) {
                break;
            }
            run.row += 1;
        }
        places.extend((first..run.row).map(|row| (run.batch, row)));
        if places.len() >= BATCH_ROWS {
            hand_on(&sources, &mut places, take)?;
            shed(&mut open, &mut sources);
        }
        let run = &mut open[place];
        let key = if run.row < run.keys.num_rows() {
            Some(run.keys.row(run.row).data().into())
        } else {
            advance(run, coder, &mut sources)?
        };
        if let Some(key) = key {
            heads.push(Reverse((key, place)));
        }
    }
    hand_on(&sources, &mut places, take)
}

/// Takes the next batch of a run and returns its first key.
fn advance(run: &mut Open<'_>, coder: &Coder, sources: &mut Vec<RecordBatch>) -> Result<Option<Key>, TablesError> {
    for batch in run.stream.by_ref() {
        let batch = batch?;
        if batch.num_rows() == 0 {
            continue;
        }
        run.keys = coder.keys(&batch).map_err(failed)?;
        (run.row, run.batch) = (0, sources.len());
        sources.push(batch);
        return Ok(Some(run.keys.row(0).data().into()));
    }
    run.keys = coder.empty();
    run.row = 0;
    Ok(None)
}

fn hand_on(
    sources: &[RecordBatch],
    places: &mut Vec<(usize, usize)>,
    take: &mut dyn FnMut(&RecordBatch) -> Result<(), TablesError>,
) -> Result<(), TablesError> {
    let (Some((source, first)), Some((last_source, last))) = (places.first().copied(), places.last().copied()) else {
        return Ok(());
    };
    // A stretch of one batch is its own copy.
    if source == last_source && last + 1 - first == places.len() {
        take(&sources[source].slice(first, places.len()))?;
    } else {
        let sources: Vec<&RecordBatch> = sources.iter().collect();
        take(&interleave_record_batch(&sources, places).map_err(failed)?)?;
    }
    places.clear();
    Ok(())
}

/// Lets go of batches that nothing more is taken from.
fn shed(open: &mut [Open<'_>], sources: &mut Vec<RecordBatch>) {
    let mut kept = Vec::new();
    for run in open.iter_mut().filter(|run| run.row < run.keys.num_rows()) {
        kept.push(sources[run.batch].clone());
        run.batch = kept.len() - 1;
    }
    *sources = kept;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray as _, Int64Array};
    use arrow::datatypes::Int64Type;
    use pools::rows::{ColumnSchema, ColumnType, Schema};
    use pools::schema::Shape;
    use proptest::prelude::*;

    use super::*;

    fn coder() -> Coder {
        let columns = vec![ColumnSchema { name: "Id".into(), column_type: ColumnType::Integer }];
        Coder::new(&Shape { schema: Schema { columns }, keys: vec!["Id".into()] }).expect("integers are keys")
    }

    fn batch(ids: &[i64], from: i64) -> RecordBatch {
        let ids = Arc::new(Int64Array::from(ids.to_vec())) as arrow::array::ArrayRef;
        let seqs = Arc::new(Int64Array::from_iter_values(from..from + ids.len() as i64)) as _;
        RecordBatch::try_from_iter([("Id", ids), ("_seq", seqs)]).expect("two columns of one length")
    }

    proptest! {
        #[test]
        fn runs_laid_into_each_other_are_one_run(
            runs in prop::collection::vec((any::<bool>(), prop::collection::vec(prop::collection::vec(0..40i64, 0..6), 0..5)), 0..6),
        ) {
            let coder = coder();
            let (mut from, mut expected, mut sorted) = (0, Vec::new(), Vec::new());
            for (place, (says_where, batches)) in runs.iter().enumerate() {
                let mut drawn = Vec::new();
                for ids in batches {
                    drawn.push(batch(ids, from));
                    expected.extend(ids.iter().enumerate().map(|(row, id)| (*id, from + row as i64)));
                    from += 1_000 * (place as i64 + 1);
                }
                let run = Run::sorted(&coder, drawn).expect("it is sorted");
                sorted.push(if *says_where { run } else { Run { low: None, ..run } });
            }
            expected.sort_unstable();
            let mut merged = Vec::new();
            merge(&coder, sorted, &mut |batch| {
                let (ids, seqs) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
                merged.extend(ids.values().iter().copied().zip(seqs.values().iter().copied()));
                Ok(())
            }).expect("it is merged");
            prop_assert!(merged.is_sorted_by_key(|(id, _)| *id));
            merged.sort_unstable();
            prop_assert_eq!(merged, expected);
        }
    }
}
