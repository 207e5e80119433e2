//! The lake against its model: whatever is pushed, flushed, restarted or lost,
//! both hold the same.

use std::time::Duration;

use pools::rows::{Cell, ColumnBuilder, ColumnType};
use proptest::prelude::*;

use super::disks::{Fault, Step};
use super::*;

#[derive(Clone, Debug)]
enum Deed {
    Push {
        table: usize,
        mode: Mode,
        pieces: Vec<(bool, Rows)>,
    },
    Flush {
        table: usize,
    },
    /// Memory gets tight: what is pending leaves it.
    Relieve,
    Tidy {
        table: usize,
    },
    Release {
        behind: u64,
    },
    Restart,
    /// The power goes at the n-th step from here, whatever is done then.
    PowerFails {
        step: u64,
    },
}

const TABLES: [&str; 2] = ["Orders", "Lines of Orders"];

fn a_value(column_type: ColumnType) -> BoxedStrategy<Option<String>> {
    let value = match column_type {
        ColumnType::Integer => (0..6i64).prop_map(|value| value.to_string()).boxed(),
        ColumnType::Float => (0..6i64).prop_map(|value| format!("{}", value as f64 / 2.0)).boxed(),
        ColumnType::Boolean => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        ColumnType::Time => (0..6i64).prop_map(|value| (value * 1_000_001).to_string()).boxed(),
        ColumnType::Text => (0..6i64).prop_map(|value| format!("t{value}")).boxed(),
    };
    prop::option::weighted(0.9, value).boxed()
}

fn a_type() -> impl Strategy<Value = ColumnType> {
    prop_oneof![
        6 => Just(ColumnType::Integer),
        1 => Just(ColumnType::Float),
        1 => Just(ColumnType::Time),
        1 => Just(ColumnType::Boolean),
        2 => Just(ColumnType::Text),
    ]
}

fn a_column(name: &'static str, rows: usize) -> impl Strategy<Value = pools::rows::Column> {
    a_type().prop_flat_map(move |column_type| {
        prop::collection::vec(a_value(column_type), rows).prop_map(move |values| {
            let mut builder = ColumnBuilder::new(name, column_type);
            for value in &values {
                let Some(text) = value else {
                    builder.push(Cell::Null);
                    continue;
                };
                builder.push(match column_type {
                    ColumnType::Integer => Cell::Integer(text.parse().expect("an integer")),
                    ColumnType::Float => Cell::Float(text.parse().expect("a float")),
                    ColumnType::Time => Cell::Time(text.parse().expect("microseconds")),
                    ColumnType::Boolean => Cell::Boolean(text == "true"),
                    ColumnType::Text => Cell::Text(text),
                });
            }
            builder.finish()
        })
    })
}

/// A key column in most cases, and a choice of two others.
fn some_rows() -> impl Strategy<Value = Rows> {
    (0..5usize, prop::bool::weighted(0.95), any::<bool>(), any::<bool>()).prop_flat_map(|(count, id, name, price)| {
        let column =
            |wanted, name| if wanted { a_column(name, count).prop_map(Some).boxed() } else { Just(None).boxed() };
        (column(id, "Id"), column(name, "Full Name"), column(price, "price"))
            .prop_map(|(id, name, price)| Rows::new([id, name, price].into_iter().flatten().collect()))
    })
}

fn a_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        1 => Just(Mode::Replace),
        2 => Just(Mode::Append),
        6 => any::<bool>().prop_map(by_id),
        1 => Just(Mode::Upsert { keys: vec!["ID".into(), "full name".into()], keep_missing: false }),
    ]
}

fn a_deed() -> impl Strategy<Value = Deed> {
    let piece = (prop::bool::weighted(0.2), some_rows());
    let push = (0..TABLES.len(), a_mode(), prop::collection::vec(piece, 0..3));
    prop_oneof![
        10 => push.prop_map(|(table, mode, pieces)| Deed::Push { table, mode, pieces }),
        4 => (0..TABLES.len()).prop_map(|table| Deed::Flush { table }),
        3 => Just(Deed::Relieve),
        2 => (0..TABLES.len()).prop_map(|table| Deed::Tidy { table }),
        1 => (0..4u64).prop_map(|behind| Deed::Release { behind }),
        1 => Just(Deed::Restart),
        2 => (1..25u64).prop_map(|step| Deed::PowerFails { step }),
    ]
}

impl Pond {
    /// Does a deed in the lake and in the model. If the power goes meanwhile,
    /// the lake is opened again, and what it then says about the job decides
    /// what the model is told.
    async fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Push { table, mode, pieces } => {
                let pieces: Vec<_> = pieces
                    .into_iter()
                    .map(|(deletes, rows)| if deletes { Piece::Delete(rows) } else { Piece::Upsert(rows) })
                    .collect();
                let job = self.job();
                let real = self.push_job(TABLES[table], job, mode.clone(), pieces.clone()).await;
                if self.disk.has_stopped() {
                    self.power_returns();
                    let known = self.lake().outcome(self.pool, job).await.expect("the lake knows");
                    assert!(real.is_err() || known == real.ok(), "what was acknowledged is there");
                    if known.is_some() {
                        self.push_model(TABLES[table], job, mode, pieces).await.expect("the lake took it");
                    }
                    return;
                }
                let model = self.push_model(TABLES[table], job, mode, pieces).await;
                assert_eq!(real.map_err(|error| error.to_string()), model.map_err(|error| error.to_string()));
            }
            Deed::Flush { table } => {
                let flushed = self.flush(TABLES[table]).await;
                if self.disk.has_stopped() {
                    return self.power_returns();
                }
                let known = self.model.table(self.pool, TABLES[table]).await.expect("the model knows");
                assert_eq!(flushed.is_ok(), known.is_some(), "{flushed:?}");
            }
            Deed::Relieve => {
                let pool = self.lake().shared().pool(self.pool);
                self.lake().relieve(&pool, 0).await;
                if self.disk.has_stopped() {
                    return self.power_returns();
                }
                let pending = pool.view();
                let pending = pending.tables.values().flat_map(|table| &table.layers);
                assert!(pending.clone().all(|layer| layer.batches.is_empty() || layer.rows() == 0));
            }
            Deed::Tidy { table } => {
                let tidied = self.lake().tidy(self.pool, TABLES[table]).await;
                if self.disk.has_stopped() {
                    return self.power_returns();
                }
                tidied.expect("nothing stands in the way of order");
            }
            Deed::Release { behind } => {
                let head = *self.lake().head(self.pool).borrow();
                self.lake().release(self.pool, "follower", head.saturating_sub(behind));
            }
            Deed::Restart => {
                self.lake = None;
                if self.disk.has_stopped() { self.power_returns() } else { self.restart_or_not() }
            }
            Deed::PowerFails { step } => self.disk.plan(Step::Any, step, Fault::Stop),
        }
    }

    fn restart_or_not(&mut self) {
        if let Err(error) = self.open() {
            assert!(self.disk.has_stopped(), "{error}");
            self.power_returns();
        }
    }

    fn power_returns(&mut self) {
        self.lake = None;
        self.disk.lose_power();
        self.open().expect("it opens after a power loss");
    }
}

/// Two small files are joined, and what no longer counts is gone at once.
fn untidy(options: Options) -> Options {
    Options { small_files_max: 1, retention: Duration::ZERO, ..options }
}

/// After every file of these tests was written.
const LATER: Timestamp = Timestamp::from_millis(4_102_444_800_000);

fn deeds_agree(deeds: Vec<Deed>, options: Options) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut pond = Pond::with(untidy(options));
        pond.clock.set(LATER);
        for deed in deeds {
            pond.act(deed).await;
            if pond.disk.has_stopped() {
                pond.power_returns();
            }
            pond.agree().await;
        }
        pond.disk.plan(Step::Any, u64::MAX, Fault::Stop);
        pond.act(Deed::Restart).await;
        pond.agree().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_lake_holds_what_its_model_holds(deeds in prop::collection::vec(a_deed(), 1..14)) {
        deeds_agree(deeds, small());
    }

    #[test]
    fn it_does_so_when_every_job_is_too_big_for_memory(deeds in prop::collection::vec(a_deed(), 1..14)) {
        deeds_agree(deeds, spilling());
    }
}

#[tokio::test]
async fn every_change_is_told_as_it_happened() {
    for options in [small(), spilling()] {
        changes_are_told(Pond::with(options)).await;
    }
}

async fn changes_are_told(mut pond: Pond) {
    pond.push("Orders", by_id(false), vec![Piece::Upsert(rows("Id:integer Name\n1 a\n2 b"))]).await.unwrap();
    pond.push("Lines", Mode::Append, vec![Piece::Upsert(rows("Id:integer Price:float\n1 0.5"))]).await.unwrap();
    let pieces = vec![Piece::Delete(rows("id:integer\n1\n9")), Piece::Upsert(rows("Id Price:float\nA-12 1.5"))];
    let committed = pond.push("ORDERS", by_id(true), pieces).await.unwrap();
    assert_eq!(committed, Committed { number: 3, upserted: 1, deleted: 1 });
    pond.push("Orders", Mode::Replace, vec![Piece::Upsert(rows("Other\nx"))]).await.unwrap();
    for after in 0..=4 {
        pond.agree_on_changes(after).await;
    }
    pond.restart();
    pond.agree_on_changes(0).await;
    assert_eq!(pond.lake().changes(pond.pool, 1, 2).await.unwrap().len(), 2);
}

/// Runs a short story with a power loss at each of its steps in turn.
#[tokio::test]
async fn no_crash_loses_or_doubles_a_row() {
    crash_at_each_step(&untidy(Options { segment_bytes_max: 200, ..small() })).await;
}

#[tokio::test]
async fn no_crash_loses_or_doubles_a_row_of_a_big_job() {
    crash_at_each_step(&untidy(Options { segment_bytes_max: 200, ..spilling() })).await;
}

/// To drop a table is an act of its own, which no rows can say.
#[tokio::test]
async fn no_piece_says_that_a_table_is_dropped() {
    for options in [small(), spilling()] {
        let mut pond = Pond::with(options);
        pond.push("Orders", by_id(false), vec![Piece::Upsert(rows("Id:integer\n1"))]).await.unwrap();
        let deletes = |columns| (0, vec![(true, Rows::new(columns))]);
        for (table, pieces) in [deletes(Vec::new()), deletes(rows("Id:integer").columns().to_vec())] {
            pond.act(Deed::Push { table, mode: Mode::Replace, pieces }).await;
            pond.agree().await;
        }
    }
}

async fn crash_at_each_step(options: &Options) {
    let story = || {
        let push = |table, mode, drawing: &str| Deed::Push { table, mode, pieces: vec![(false, rows(drawing))] };
        vec![
            push(0, by_id(false), "Id:integer Name\n1 a\n2 b\n3 c"),
            push(1, Mode::Append, "Id:integer\n1\n1"),
            Deed::Flush { table: 0 },
            push(0, by_id(true), "Id:integer Price:float\n2 0.5\n4 1.5"),
            Deed::Relieve,
            Deed::Flush { table: 1 },
            Deed::Flush { table: 0 },
            push(0, by_id(true), "Id:integer Price:float\n7 0.5"),
            push(1, Mode::Append, "Id:integer\n2"),
            Deed::Flush { table: 1 },
            Deed::Flush { table: 0 },
            Deed::Tidy { table: 0 },
            Deed::Tidy { table: 1 },
            push(0, by_id(false), "Id Name\nA-12 d"),
            push(1, Mode::Replace, "Other\nx"),
            Deed::Flush { table: 0 },
            Deed::Flush { table: 1 },
            push(0, by_id(false), "Id Name\n1 e"),
            Deed::Tidy { table: 0 },
            Deed::Tidy { table: 1 },
        ]
    };
    let mut calm = Pond::with(options.clone());
    calm.clock.set(LATER);
    for deed in story() {
        calm.act(deed).await;
    }
    let steps = calm.disk.steps();
    let joined = calm.lake().shared().pool(calm.pool).table(TABLES[1]).unwrap().rest.files.len();
    assert_eq!(joined, 1);
    assert!(steps > 120, "the story has {steps} steps");
    for step in 1..=steps {
        let mut pond = Pond::closed(options.clone());
        pond.clock.set(LATER);
        pond.disk = Arc::new(FaultyDisk::new(step));
        pond.disk.plan(Step::Any, step, Fault::Stop);
        pond.restart_or_not();
        for deed in story() {
            pond.act(deed).await;
            if pond.disk.has_stopped() {
                pond.power_returns();
            }
        }
        pond.agree().await;
        pond.restart();
        pond.agree().await;
    }
}
