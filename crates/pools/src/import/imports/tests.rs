//! The life of an import, from its files to its rows.

use std::sync::Arc;

use base::chance::SeededChance;
use base::testing;
use base::time::SimClock;
use base::{Clock as _, Timestamp};

use super::*;
use crate::import::{ColumnChoice, Role};
use crate::memory::MemTables;
use crate::rows::{Cell, ColumnType};

/// Takes CSV behind the four letters with which Parquet begins for Parquet;
/// columns whose values are all whole numbers are integers.
fn read_parquet(file: &std::path::Path) -> Result<crate::Rows, crate::TablesError> {
    let text = std::fs::read_to_string(file).expect("a chunk that was written");
    let mut lines =
        text.strip_prefix("PAR1").unwrap_or_default().lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let lines: Vec<_> = lines.collect();
    let column = |(place, name): (usize, &&str)| {
        let whole: Option<Vec<i64>> = lines.iter().map(|line| line[place].parse().ok()).collect();
        let column_type = if whole.is_some() { ColumnType::Integer } else { ColumnType::Text };
        let mut builder = crate::rows::ColumnBuilder::new(*name, column_type);
        for (row, line) in lines.iter().enumerate() {
            builder.push(whole.as_ref().map_or(Cell::Text(line[place]), |whole| Cell::Integer(whole[row])));
        }
        builder.finish()
    };
    Ok(crate::Rows::new(header.iter().enumerate().map(column).collect()))
}

struct House {
    pools: Arc<Pools>,
    clock: Arc<SimClock>,
    actor: Actor,
    pool: PoolId,
    folder: tempfile::TempDir,
    _guard: testing::DatabaseGuard,
}

impl House {
    async fn new() -> Self {
        let (_, guard, db) = testing::databases(&[base::MIGRATIONS, crate::MIGRATIONS]).swap_remove(0);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Arc::new(SimClock::default());
        let tables = Arc::new(MemTables::with_parquet(read_parquet));
        let chance = Arc::new(SeededChance::new(1));
        let pools = Arc::new(Pools::new(db, tables, folder.path(), clock.clone(), chance));
        let actor = Actor::system("test");
        let pool = pools.create(&actor, "shop").await.unwrap().id;
        House { pools, clock, actor, pool, folder, _guard: guard }
    }

    async fn stage(&self, options: ImportOptions, files: &[(&str, &str)]) -> Result<Import, Error> {
        let mut uploads = Vec::new();
        for (name, text) in files {
            let mut upload = self.pools.import_file(name);
            for bite in text.as_bytes().chunks(7) {
                upload.write(Bytes::copy_from_slice(bite)).await?;
            }
            upload.finish().await?;
            uploads.push(upload);
        }
        self.pools.stage_files(&self.actor, self.pool, options, uploads).await
    }

    async fn commit(&self, import: &Import) -> Import {
        self.pools.commit_import(&self.actor, self.pool, import.id).await.unwrap();
        self.pools.drain().await.unwrap();
        self.pools.import(self.pool, import.id).await.unwrap()
    }

    async fn see(&self, table: &str) -> String {
        let Ok(seen) = self.pools.rows().scan(self.pool, table, None).await else { return "no table".into() };
        let ours = |name: &str| name == crate::SEQ_COLUMN || name == crate::CHANGE_DATE_COLUMN;
        let columns: Vec<_> = seen.rows.columns().iter().filter(|column| !ours(&column.name)).collect();
        let head = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(" ");
        let rows = (0..seen.rows.len()).map(|row| {
            let cells = columns.iter().map(|column| match column.cell(row) {
                Cell::Null => "-".to_owned(),
                cell => crate::schema::text_of(cell),
            });
            cells.collect::<Vec<_>>().join(" ")
        });
        [head].into_iter().chain(rows).collect::<Vec<_>>().join(", ")
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).map_or(0, Iterator::count)
    }
}

const LOG: &str = "<log><trace><string key=\"concept:name\" value=\"NA\"/><event><string key=\"concept:name\" \
                   value=\"Pay\"/><date key=\"time:timestamp\" value=\"2026-02-03T09:15:00Z\"/></event></trace></log>";

const SHOP: &str = r#"{"objects": [{"id": "o1", "type": "Order"}], "events": [{"id": "e1", "type": "Pay",
    "time": "2026-02-03T09:15:00Z", "relationships": [{"objectId": "o1", "qualifier": "order"}]}]}"#;

#[tokio::test]
async fn a_log_waits_for_a_word_and_becomes_rows() {
    let house = House::new().await;
    let staged = house.stage(ImportOptions::default(), &[("orders.xes", LOG)]).await.unwrap();
    assert_eq!((staged.state, house.files()), (ImportState::Staged, 1));
    assert_eq!(house.see("orders").await, "no table");
    let model = staged.preview.tables[0].data_model().expect("the columns of XES are known");
    assert_eq!(model.activity.case_column, "case:concept:name");
    let done = house.commit(&staged).await;
    assert_eq!((done.state, done.rows_read, done.bytes_read), (ImportState::Done, 1, done.bytes));
    let expected = "case:concept:name concept:name time:timestamp, NA Pay 2026-02-03T09:15:00.000Z";
    assert_eq!(house.see("orders").await, expected);
    assert_eq!(house.files(), 0, "nothing stays in the spool");
    let again = house.pools.commit_import(&house.actor, house.pool, staged.id).await;
    assert!(matches!(again, Err(Error::ImportCommitted { .. })), "{again:?}");
}

#[tokio::test]
async fn an_object_centric_log_fills_all_its_tables() {
    let house = House::new().await;
    let options = ImportOptions { table: Some("shop".into()), replace: true, ..ImportOptions::default() };
    let staged = house.stage(options, &[("log.json", SHOP)]).await.unwrap();
    let done = house.commit(&staged).await;
    assert_eq!((done.state, done.jobs.len(), done.rows_read), (ImportState::Done, 3, 3));
    assert_eq!(house.see("shop_Order").await, "object_id, o1");
    let expected = "event_id activity timestamp object_id qualifier, e1 Pay 2026-02-03T09:15:00.000Z o1 order";
    assert_eq!(house.see("shop_event_objects").await, expected);
    assert_eq!(house.files(), 0);
}

#[tokio::test]
async fn choices_rename_type_and_key_columns() {
    let house = House::new().await;
    let csv = "Fall;Betrag;Rest\nNA;1,5;x\n7;2,5;y\n";
    let staged = house.stage(ImportOptions::default(), &[("a.csv", csv)]).await.unwrap();
    let choice = |name: &str| ColumnChoice { name: name.into(), ..ColumnChoice::default() };
    let options = ImportOptions {
        table: Some("Cases".into()),
        keys: vec!["Fall".into()],
        columns: vec![
            ColumnChoice { rename: Some("case".into()), column_type: Some(ColumnType::Text), ..choice("Fall") },
            ColumnChoice { rename: Some("amount".into()), ..choice("betrag") },
            ColumnChoice { skip: true, ..choice("Rest") },
        ],
        ..ImportOptions::default()
    };
    let chosen = house.pools.choose_import(&house.actor, house.pool, staged.id, options.clone()).await.unwrap();
    assert_eq!(chosen.preview.tables[0].column_with(Role::Case), Some("case"));
    assert_eq!(house.commit(&chosen).await.state, ImportState::Done);
    assert_eq!(house.see("Cases").await, "case amount, NA 1.5, 7 2.5");
    // The next file meets a table that has the new names.
    let next = house.stage(options, &[("b.csv", "Fall;Betrag;Rest\n7;3;z\n")]).await.unwrap();
    assert_eq!(house.commit(&next).await.state, ImportState::Done);
    assert_eq!(house.see("Cases").await, "case amount, NA 1.5, 7 3.0");
}

#[tokio::test]
async fn a_bad_row_ends_the_import_and_is_named() {
    let house = House::new().await;
    let staged =
        house.stage(ImportOptions::default(), &[("a.csv", "id,n\n1,2\n"), ("b.csv", "id,n\n1,2,3\n")]).await.unwrap();
    let failed = house.commit(&staged).await;
    assert_eq!(failed.state, ImportState::Failed);
    assert!(failed.jobs[0].logs[0].starts_with("file \"b.csv\", line 2, column 3"), "{:?}", failed.jobs[0].logs);
    assert_eq!((house.see("a").await.as_str(), house.files()), ("no table", 0));
    let refused = house.stage(ImportOptions::default(), &[("a.xes", "<log><trace>")]).await;
    assert!(refused.unwrap_err().to_string().contains("the file ends inside <trace>"));
    let mixed = house.stage(ImportOptions::default(), &[("a.xes", LOG), ("b.csv", "id\n1\n")]).await;
    assert!(mixed.unwrap_err().to_string().contains("\"a.xes\" is XES and \"b.csv\" is CSV"));
    assert_eq!(house.files(), 0, "what was refused does not stay");
}

#[tokio::test]
async fn files_wait_for_a_day_and_survive_a_start() {
    let house = House::new().await;
    let kept = house.stage(ImportOptions::default(), &[("a.csv", "id,n\n1,2\n")]).await.unwrap();
    house.pools.recover().await.unwrap();
    assert_eq!(house.files(), 1, "a start sweeps nothing that waits");
    let gone = house.stage(ImportOptions::default(), &[("b.csv", "id,n\n1,2\n")]).await.unwrap();
    house.pools.delete_import(&house.actor, house.pool, gone.id).await.unwrap();
    assert_eq!(house.files(), 1);
    let start: Timestamp = house.clock.now();
    house.clock.set(start.plus(Duration::from_hours(23)));
    assert_eq!(house.pools.sweep_stale_imports().await.unwrap(), 0);
    house.clock.set(start.plus(Duration::from_hours(25)));
    assert_eq!(house.pools.sweep_stale_imports().await.unwrap(), 1);
    assert_eq!(house.files(), 0);
    let unknown = house.pools.import(house.pool, kept.id).await;
    assert!(matches!(unknown, Err(Error::UnknownImport { .. })), "{unknown:?}");
}

#[tokio::test]
async fn a_data_model_is_guessed_from_names_and_values() {
    let house = House::new().await;
    let nothing = house.pools.guess_data_model(house.pool, &[]).await;
    assert!(nothing.unwrap_err().to_string().contains("the pool has no tables yet"));
    let mut events = String::from("order_id,activity,timestamp\n");
    let mut orders = String::from("order_id,vendor_id\n");
    for order in 1..=20 {
        events.push_str(&format!("O{order},Create,2026-01-01T08:00:00Z\nO{order},Pay,2026-01-02T08:00:00Z\n"));
        orders.push_str(&format!("O{order},V{}\n", order % 3));
    }
    for (name, text) in [
        ("events.csv", events.as_str()),
        ("orders.csv", &orders),
        ("vendors.csv", "id,name\nV0,A\nV1,B\nV2,C\n"),
        ("notes.csv", "text\nhello\n"),
    ] {
        let staged = house.stage(ImportOptions::default(), &[(name, text)]).await.unwrap();
        house.commit(&staged).await;
    }
    let guessed = house.pools.guess_data_model(house.pool, &[]).await.unwrap();
    let spec = &guessed.spec;
    assert_eq!(spec.tables, ["events", "orders", "vendors"]);
    assert_eq!((spec.activity.case_column.as_str(), spec.activity.case_table.as_deref()), ("order_id", Some("orders")));
    let keys: Vec<_> = spec
        .foreign_keys
        .iter()
        .map(|key| format!("{}.{} → {}.{}", key.from_table, key.from_columns[0], key.to_table, key.to_columns[0]))
        .collect();
    assert_eq!(keys, ["events.order_id → orders.order_id", "orders.vendor_id → vendors.id"]);
    assert_eq!(guessed.warnings, ["table \"notes\" is connected to no other and is left out"]);
    let put = house.pools.put_data_model(&house.actor, house.pool, "orders", guessed.spec).await.unwrap();
    assert_eq!((put.model.version, put.notes.len()), (1, 0));
}

#[tokio::test]
async fn parquet_shows_its_columns_before_anything_is_committed() {
    let house = House::new().await;
    let files =
        [("orders.parquet", "PAR1case,activity,amount\na,Create,7\na,Pay,8"), ("more.parquet", "PAR1case,who\nb,ann")];
    let import = house.stage(ImportOptions::default(), &files).await.unwrap();
    let table = &import.preview.tables[0];
    let columns: Vec<_> =
        table.columns.iter().map(|column| format!("{} {:?}", column.name, column.column_type)).collect();
    assert_eq!(columns, ["case Text", "activity Text", "amount Integer", "who Text"]);
    assert_eq!((table.rows, table.exact, table.column_with(Role::Case)), (Some(3), true, Some("case")));
    assert_eq!(table.first[1][2].as_deref(), Some("8"));
    assert_eq!(import.preview.warnings.len(), 3, "{:?}", import.preview.warnings);

    let options = ImportOptions { keys: vec!["cas".into()], ..ImportOptions::default() };
    let id = import.id;
    let refused = house.pools.choose_import(&house.actor, house.pool, id, options).await;
    let refused = match refused {
        Ok(import) => house.pools.commit_import(&house.actor, house.pool, import.id).await.map(drop),
        Err(error) => Err(error),
    };
    let refused = refused.expect_err("there is no such column").to_string();
    assert!(refused.contains("there is no column \"cas\""), "{refused}");

    let options = ImportOptions::default();
    let import = house.pools.choose_import(&house.actor, house.pool, id, options).await.unwrap();
    assert_eq!(house.commit(&import).await.state, ImportState::Done);
    let seen = house.see("orders").await;
    assert!(seen.contains("ann") && seen.contains("Pay"), "{seen}");
}
