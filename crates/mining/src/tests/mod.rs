//! A small house: tables in memory, a database, a clock that is moved by hand,
//! and an outbox that writes into the same database, as the real one does.

mod language;
mod fuzz;
mod rows_and_dates;
mod calendars;
mod queries;
mod processes;
mod statements;
mod joins;
mod reference;
mod scopes;
mod windows;
mod triggers;
mod surveys;
mod wishes;
mod causes;
mod episodes;
mod standing;
mod incremental;
mod late_steps;
mod followed;
mod backtests;
mod figures;
mod explaining;
mod following;
mod engines;
mod neighbours;
mod notices;
mod models;
mod versions;
mod questions;
mod pages;
mod signals;
mod store;
mod asking;
mod presence;
mod test_tables;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base::chance::SeededChance;
use base::db::{Control, Db, Migration, Tx};
use base::testing::{self, DatabaseGuard};
use base::time::SimClock;
use base::{Actor, BoxFuture, Timestamp, args};
use events::{Appended, TriggerRef};
use parking_lot::Mutex;
use pools::rows::{Cell, ColumnBuilder, ColumnType};
use pools::{ActivityTable, Commit, DataModel, DataModelId, Mode, Piece, PoolId, PushJobId, Rows, Tables as _};
use serde_json::json;

use self::test_tables::TestTables;
use crate::{DataModels, Error, Mining, Outbox, Signal};

/// Reads rows from a text with a header: `name` or `name:type`, cells between
/// bars, `-` for nothing. Times may lack seconds.
pub(crate) fn rows(text: &str) -> Rows {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let header = lines.next().expect("a header");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let columns: Vec<(String, ColumnType)> = cells(header)
        .into_iter()
        .map(|column| match column.split_once(':') {
            Some((name, "int")) => (name.to_owned(), ColumnType::Integer),
            Some((name, "float")) => (name.to_owned(), ColumnType::Float),
            Some((name, "time")) => (name.to_owned(), ColumnType::Time),
            _ => (column, ColumnType::Text),
        })
        .collect();
    let lines: Vec<Vec<String>> = lines.map(cells).collect();
    table(&columns, &lines)
}

fn table(columns: &[(String, ColumnType)], lines: &[Vec<String>]) -> Rows {
    let column = |(place, (name, column_type)): (usize, &(String, ColumnType))| {
        let mut builder = ColumnBuilder::new(name.clone(), *column_type);
        for line in lines {
            let text = line[place].as_str();
            builder.push(match column_type {
                _ if text == "-" => Cell::Null,
                ColumnType::Integer => Cell::Integer(text.parse().expect("a whole number")),
                ColumnType::Float => Cell::Float(text.parse().expect("a number")),
                ColumnType::Time => Cell::Time(at(text).as_micros()),
                _ => Cell::Text(text),
            });
        }
        builder.finish()
    };
    Rows::new(columns.iter().enumerate().map(column).collect())
}

/// Reads a time such as `2026-03-01 08:00`.
pub(crate) fn at(text: &str) -> Timestamp {
    let text = text.replace(' ', "T");
    let text = if text.ends_with('Z') { text } else { format!("{text}:00Z") };
    text.parse().expect("a time")
}

fn pool() -> PoolId {
    PoolId::from_bytes([7; 16])
}

/// A data model over `EV (CASE, ACT, TS)` and whatever else is named.
pub(crate) fn model(tables: &[&str], case_table: Option<&str>, foreign_keys: &[(&str, &str, &str, &str)]) -> DataModel {
    let foreign_keys: Vec<_> = foreign_keys
        .iter()
        .map(|(from, from_column, to, to_column)| {
            json!({ "fromTable": from, "fromColumns": [from_column], "toTable": to, "toColumns": [to_column] })
        })
        .collect();
    serde_json::from_value(json!({
        "id": DataModelId::from_bytes([9; 16]), "pool": pool(), "key": "orders", "version": 1, "name": "Orders",
        "tables": tables, "foreignKeys": foreign_keys,
        "activity": ActivityTable {
            table: "EV".into(),
            case_column: "CASE".into(),
            activity_column: "ACT".into(),
            timestamp_column: "TS".into(),
            end_timestamp_column: None,
            sorting_column: None,
            case_table: case_table.map(str::to_owned),
            case_table_column: None,
        },
    }))
    .expect("a data model")
}

/// The data model of the house, which a test may replace.
struct OneModel(Mutex<DataModel>);

impl OneModel {
    fn now(&self) -> DataModel {
        self.0.lock().clone()
    }
}

impl DataModels for OneModel {
    fn find<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<DataModel, Error>> {
        Box::pin(async move {
            let model = self.now();
            // The same tables under another name.
            let others = DataModelId::from_bytes([8; 16]);
            if reference == "others" || reference == others.to_string() {
                return Ok(DataModel { id: others, key: "others".into(), ..model });
            }
            if reference == model.key || reference == model.id.to_string() {
                return Ok(model);
            }
            Err(Error::UnknownDataModel { reference: reference.to_owned() })
        })
    }
}

/// Appends in the caller's transaction, as the subscription engine does; can be
/// told to fail, which stands for a crash.
#[derive(Default)]
struct TestOutbox {
    /// Calls that still succeed; 0 for no end.
    calls_left: AtomicU64,
    crashed: AtomicBool,
    nudged: tokio::sync::Notify,
    /// What administrators were told.
    told: Mutex<Vec<String>>,
}

const OUTBOX: &[Migration] = &[Migration {
    name: "test/0001_outbox",
    sql: "CREATE TABLE outbox (model TEXT, trigger_id TEXT, event_key TEXT, identifier TEXT, fields TEXT,
          evaluated_at BIGINT, PRIMARY KEY (model, trigger_id, event_key))",
}];

const MIGRATIONS: &[&[Migration]] = &[base::MIGRATIONS, crate::MIGRATIONS, OUTBOX];

impl Outbox for TestOutbox {
    fn append(&self, tx: &mut dyn Tx, signals: &[Signal]) -> Result<Option<Appended>, Error> {
        let before = self.calls_left.load(Ordering::SeqCst);
        if self.crashed.load(Ordering::SeqCst) {
            return Err(Error::Overtaken { model: "crash".into() });
        }
        if before > 0 {
            self.calls_left.store(before - 1, Ordering::SeqCst);
            self.crashed.store(before == 1, Ordering::SeqCst);
        }
        for signal in signals {
            let fields = signal.fields.iter().map(|field| format!("{}={}", field.id, field.value));
            let fields = fields.collect::<Vec<_>>().join(" ");
            tx.execute(
                "INSERT INTO outbox (model, trigger_id, event_key, identifier, fields, evaluated_at)
                 VALUES ($1, $2, $3, $4, $5, $6)",
                args![
                    &signal.knowledge_model,
                    &signal.trigger,
                    &signal.key,
                    &signal.identifier,
                    fields,
                    signal.evaluated_at
                ],
            )?;
        }
        Ok(signals.first().map(|signal| Appended::nothing(&TriggerRef::new(&signal.knowledge_model, &signal.trigger))))
    }

    fn announce(&self, _appended: Appended) {
        self.nudged.notify_one();
    }

    fn tell(&self, _tx: &mut dyn Tx, news: &crate::DataModelNews) -> Result<(), Error> {
        self.told.lock().push(news.text.clone());
        Ok(())
    }
}

struct House {
    _guard: Option<DatabaseGuard>,
    db: Db<Control>,
    tables: Arc<TestTables>,
    data_model: Arc<OneModel>,
    clock: Arc<SimClock>,
    outbox: Mutex<Arc<TestOutbox>>,
    mining: Mutex<Arc<Mining>>,
    jobs: AtomicU64,
    /// What leads to the commits from now on.
    causes: Mutex<base::Causes>,
}

impl House {
    fn new(data_model: DataModel) -> Self {
        let (_, guard, db) = testing::databases::<Control>(MIGRATIONS).remove(0);
        House { _guard: Some(guard), ..House::on(db, data_model) }
    }

    fn on(db: Db<Control>, data_model: DataModel) -> Self {
        let tables = Arc::new(TestTables::default());
        let data_model = Arc::new(OneModel(Mutex::new(data_model)));
        let clock = Arc::new(SimClock::at(at("2026-03-01 00:00")));
        let outbox = Arc::new(TestOutbox::default());
        let mining = start(&db, &tables, &data_model, &outbox, &clock);
        House {
            _guard: None,
            db,
            tables,
            data_model,
            clock,
            outbox: Mutex::new(outbox),
            mining: Mutex::new(mining),
            jobs: AtomicU64::new(1),
            causes: Mutex::default(),
        }
    }

    fn mining(&self) -> Arc<Mining> {
        self.mining.lock().clone()
    }

    /// Starts anew with so much memory for data models, in bytes.
    fn restart_with_memory(&self, bytes_max: usize) {
        self.restart();
        let mut mining = self.mining.lock();
        let fresh = start(&self.db, &self.tables, &self.data_model, &self.outbox.lock(), &self.clock);
        *mining = Arc::new(Arc::into_inner(fresh).expect("nobody else has it").with_memory(bytes_max));
    }

    /// Forgets what is in memory, as the end of the process does.
    fn restart(&self) {
        let outbox = Arc::new(TestOutbox::default());
        *self.mining.lock() = start(&self.db, &self.tables, &self.data_model, &outbox, &self.clock);
        *self.outbox.lock() = outbox;
    }

    async fn push(&self, table: &str, mode: Mode, pieces: Vec<Piece>) {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.jobs.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        let job = PushJobId::from_bytes(bytes);
        for piece in pieces {
            self.tables.stage(pool(), job, piece).await.expect("it is staged");
        }
        let causes = self.causes.lock().clone();
        let commit = Commit { pool: pool(), table: table.into(), job, mode, at: Timestamp::EPOCH, causes };
        self.tables.commit(commit).await.expect("it is committed");
    }

    async fn append(&self, table: &str, text: &str) {
        self.push(table, Mode::Append, vec![Piece::Upsert(rows(text))]).await;
    }

    async fn publish(&self, yaml: &str) -> crate::Publication {
        let mining = self.mining();
        let draft = mining.put_draft(&actor(), "p", yaml).await.expect("a draft");
        mining.publish(&actor(), &draft.id).await.expect("it fits")
    }

    async fn set_clock(&self, model: &str, text: &str) {
        self.mining().set_clock(&actor(), model, at(text), 0.0).await.expect("the clock is set");
    }

    /// Lists what was fired: instant, identifier, key.
    async fn fired(&self) -> Vec<(Timestamp, String, String)> {
        let select =
            "SELECT evaluated_at, identifier, event_key FROM outbox ORDER BY evaluated_at, identifier, event_key";
        let rows = self.db.read("test.fired", move |tx| tx.query(select, args![])).await.expect("a read");
        rows.iter()
            .map(|row| (row.get(0).expect("a time"), row.get(1).expect("a text"), row.get(2).expect("a text")))
            .collect()
    }

    async fn fired_text(&self) -> String {
        let line = |(at, identifier, key): &(Timestamp, String, String)| format!("{at} {identifier} {key}\n");
        self.fired().await.iter().map(line).collect()
    }
}

fn start(
    db: &Db<Control>,
    tables: &Arc<TestTables>,
    data_model: &Arc<OneModel>,
    outbox: &Arc<TestOutbox>,
    clock: &Arc<SimClock>,
) -> Arc<Mining> {
    Arc::new(Mining::new(
        db.clone(),
        tables.clone(),
        data_model.clone(),
        outbox.clone(),
        clock.clone(),
        Arc::new(SeededChance::new(1)),
    ))
}

fn actor() -> Actor {
    Actor::system("test")
}
