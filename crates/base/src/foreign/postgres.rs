//! Reading a foreign PostgreSQL.
//!
//! The user's query is asked for its columns first, and then wrapped: the
//! outer statement turns every column into text in our form, leaves out rows
//! without a watermark, and orders by it. So the driver has to know no type,
//! and the watermark of the last row is the highest. It runs in a read-only
//! transaction on one snapshot, through a cursor.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::{Kind as TypeKind, Type};
use tokio_postgres::{Client, Config, Row, Statement};

use super::secured::{Handshake, Wire};
use super::{
    Dial, Foreign, ForeignBatch, ForeignColumn, ForeignCursor, ForeignError, ForeignQuery, ForeignType, WATERMARK,
    Watermark, WatermarkKind,
};
use crate::BoxFuture;
use crate::http::HttpError;

const PORT: u16 = 5432;

/// Digits of a `numeric` without decimals that certainly fit 64 bits.
const WHOLE_DIGITS_MAX: i32 = 18;

/// Times are shown in this form.
const TIME_FORM: &str = "YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"";

/// Reads foreign PostgreSQL databases over sockets that somebody else makes.
pub struct PostgresReader {
    dial: Arc<dyn Dial>,
}

impl PostgresReader {
    /// Makes a reader whose connections come from `dial`.
    pub fn new(dial: Arc<dyn Dial>) -> Self {
        PostgresReader { dial }
    }

    async fn connect(&self, query: &ForeignQuery) -> Result<Session, ForeignError> {
        let config = config_of(&query.connection)?;
        let mut last = None;
        for (host, port) in hosts_of(&config)? {
            match self.connect_to(&config, &host, port, query.patience).await {
                Ok(session) => return Ok(session),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| bad_connection("it names no host")))
    }

    async fn connect_to(
        &self,
        config: &Config,
        host: &str,
        port: u16,
        patience: Duration,
    ) -> Result<Session, ForeignError> {
        let target = format!("{host}:{port}");
        let stream = Wire(self.dial.dial(host, port).await?);
        let handshake = Handshake { dial: self.dial.clone(), host: host.to_owned() };
        let connecting = config.connect_raw(stream, handshake);
        let connected = tokio::time::timeout(patience, connecting).await;
        let (client, connection) = connected
            .map_err(|_| ForeignError::TooSlow { target: target.clone(), seconds: patience.as_secs() })?
            .map_err(|error| refusal_of(&error, &target, config))?;
        // What goes wrong in there, the next call hears too.
        let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        Ok(Session { client, target, patience, driver })
    }
}

impl Foreign for PostgresReader {
    fn open(&self, query: ForeignQuery) -> BoxFuture<'_, Result<Box<dyn ForeignCursor>, ForeignError>> {
        Box::pin(async move {
            let session = self.connect(&query).await?;
            let cursor = Cursor::open(session, &query).await?;
            Ok(Box::new(cursor) as Box<dyn ForeignCursor>)
        })
    }
}

/// Reads a connection text, which no error shows.
fn config_of(connection: &crate::Secret) -> Result<Config, ForeignError> {
    let mut config: Config = connection
        .expose()
        .parse()
        .map_err(|error: tokio_postgres::Error| bad_connection(&crate::error::chain(&error).to_string()))?;
    if config.get_application_name().is_none() {
        config.application_name("loopwright");
    }
    Ok(config)
}

fn bad_connection(detail: &str) -> ForeignError {
    ForeignError::BadConnection { detail: detail.to_owned() }
}

/// Returns which hosts to try, in order.
fn hosts_of(config: &Config) -> Result<Vec<(String, u16)>, ForeignError> {
    let port_at = |place: usize| match config.get_ports() {
        [] => PORT,
        [port] => *port,
        ports => ports.get(place).copied().unwrap_or(PORT),
    };
    if config.get_hosts().is_empty() {
        let addresses = config.get_hostaddrs().iter().enumerate();
        return Ok(addresses.map(|(place, address)| (address.to_string(), port_at(place))).collect());
    }
    let mut hosts = Vec::new();
    for (place, host) in config.get_hosts().iter().enumerate() {
        match host {
            Host::Tcp(host) => hosts.push((host.clone(), port_at(place))),
            Host::Unix(_) => return Err(bad_connection("a host is a name or an address, not a folder with a socket")),
        }
    }
    Ok(hosts)
}

fn refusal_of(error: &tokio_postgres::Error, target: &str, config: &Config) -> ForeignError {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(way) = inner.downcast_ref::<HttpError>() {
            return ForeignError::Way(way.clone());
        }
        cause = inner.source();
    }
    let mut detail = told(error);
    if config.get_ssl_mode() == SslMode::Disable && detail.contains("no encryption") {
        detail.push_str("; write sslmode=require into the connection text");
    }
    ForeignError::Refused { target: target.to_owned(), detail }
}

/// What the server said; the library says only "db error".
fn told(error: &tokio_postgres::Error) -> String {
    let Some(told) = error.as_db_error() else { return crate::error::chain(error).to_string() };
    let mut text = told.message().to_owned();
    for (word, more) in [("", told.detail()), ("hint: ", told.hint())] {
        if let Some(more) = more {
            let _ = write!(text, " ({word}{more})");
        }
    }
    text
}

/// A connection that ends when it is dropped.
struct Session {
    client: Client,
    target: String,
    patience: Duration,
    driver: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, tokio_postgres::Error>> + Send,
    ) -> Result<T, ForeignError> {
        let target = || self.target.clone();
        match tokio::time::timeout(self.patience, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.as_db_error().is_some() => Err(ForeignError::Query { detail: told(&error) }),
            Ok(Err(error)) if error.is_closed() || self.client.is_closed() => {
                Err(ForeignError::Broken { target: target(), detail: told(&error) })
            }
            Ok(Err(error)) => Err(ForeignError::Query { detail: told(&error) }),
            Err(_) => Err(ForeignError::TooSlow { target: target(), seconds: self.patience.as_secs() }),
        }
    }
}

struct Cursor {
    session: Session,
    columns: Vec<ForeignColumn>,
    fetch: Statement,
    has_watermark: bool,
    ended: bool,
}

impl Cursor {
    async fn open(session: Session, query: &ForeignQuery) -> Result<Self, ForeignError> {
        // Texts of times and bytes depend on these.
        let settings = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL TimeZone = 'UTC'; \
             SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL bytea_output = 'hex'; \
             SET LOCAL extra_float_digits = 1; SET LOCAL statement_timeout = {}",
            query.patience.as_millis()
        );
        session.call(session.client.batch_execute(&settings)).await?;
        let inner = with_argument(&query.query, query.watermark.as_ref());
        let asked = session.call(session.client.prepare(&inner)).await?;
        let columns = columns_of(&asked)?;
        let outer = wrapped(&inner, &asked, &columns, query)?;
        let argument = query.watermark.as_ref().map(argument_of);
        let declare = format!("DECLARE loopwright NO SCROLL CURSOR FOR {outer}");
        let declared = session.call(session.client.prepare(&declare)).await?;
        let wants = declared.params().len();
        let arguments: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            argument.iter().take(wants).map(|text| text as &(dyn tokio_postgres::types::ToSql + Sync)).collect();
        session.call(session.client.execute(&declared, &arguments)).await?;
        let fetch = format!("FETCH FORWARD {} FROM loopwright", query.batch_rows.max(1));
        let fetch = session.call(session.client.prepare(&fetch)).await?;
        Ok(Cursor { session, columns, fetch, has_watermark: query.watermark.is_some(), ended: false })
    }

    fn batch_of(&self, rows: &[Row]) -> Result<ForeignBatch, ForeignError> {
        let text = |row: &Row, place: usize| {
            row.try_get::<_, Option<String>>(place).map_err(|error| ForeignError::Query { detail: told(&error) })
        };
        let mut batch = ForeignBatch::default();
        for row in rows {
            let values = (0..self.columns.len()).map(|place| text(row, place));
            batch.rows.push(values.collect::<Result<_, _>>()?);
        }
        if let (true, Some(last)) = (self.has_watermark, rows.last()) {
            batch.watermark = text(last, self.columns.len())?;
        }
        Ok(batch)
    }
}

impl ForeignCursor for Cursor {
    fn columns(&self) -> &[ForeignColumn] {
        &self.columns
    }

    fn next(&mut self) -> BoxFuture<'_, Result<ForeignBatch, ForeignError>> {
        Box::pin(async move {
            if self.ended {
                return Ok(ForeignBatch::default());
            }
            let rows = self.session.call(self.session.client.query(&self.fetch, &[])).await?;
            self.ended = rows.is_empty();
            self.batch_of(&rows)
        })
    }
}

/// Puts the argument in the place of [`WATERMARK`]. It is text on the wire and
/// cast on the server, so that its type does not depend on the query.
fn with_argument(query: &str, watermark: Option<&Watermark>) -> String {
    let query = query.trim().trim_end_matches(';');
    let Some(watermark) = watermark else { return query.to_owned() };
    let cast = match watermark.kind {
        WatermarkKind::Integer => "($1::text)::bigint",
        WatermarkKind::Timestamp => "($1::text)::timestamptz",
        WatermarkKind::Text => "($1::text)",
    };
    query.replace(WATERMARK, cast)
}

fn argument_of(watermark: &Watermark) -> String {
    let first = match watermark.kind {
        WatermarkKind::Integer => i64::MIN.to_string(),
        WatermarkKind::Timestamp => "-infinity".to_owned(),
        WatermarkKind::Text => String::new(),
    };
    watermark.after.clone().unwrap_or(first)
}

fn columns_of(asked: &Statement) -> Result<Vec<ForeignColumn>, ForeignError> {
    let mut columns: Vec<ForeignColumn> = Vec::new();
    for column in asked.columns() {
        let name = column.name().to_owned();
        if columns.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
            return Err(ForeignError::Query {
                detail: format!("two columns are called \"{name}\": give one of them another name by AS"),
            });
        }
        let column_type = type_of(column.type_(), column.type_modifier());
        columns.push(ForeignColumn { name, column_type });
    }
    if columns.is_empty() {
        return Err(ForeignError::Query { detail: "it returns no columns: write a SELECT".into() });
    }
    Ok(columns)
}

fn type_of(column_type: &Type, modifier: i32) -> ForeignType {
    match *column_type {
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => ForeignType::Integer,
        Type::NUMERIC if is_whole(modifier) => ForeignType::Integer,
        Type::NUMERIC | Type::FLOAT4 | Type::FLOAT8 => ForeignType::Float,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => ForeignType::Time,
        Type::DATE => ForeignType::Day,
        Type::BOOL => ForeignType::Boolean,
        _ => ForeignType::Text,
    }
}

/// A `numeric(p, 0)` of few enough digits. The modifier is precision and scale
/// in two halves, four too high; -1 where none was given.
fn is_whole(modifier: i32) -> bool {
    let given = modifier - 4;
    let (precision, scale) = (given >> 16, given & 0x7ff);
    modifier >= 4 && scale == 0 && precision <= WHOLE_DIGITS_MAX
}

/// Wraps a query so that every column is text in our form. Columns are renamed
/// by place, because their names may be anything.
fn wrapped(
    inner: &str,
    asked: &Statement,
    columns: &[ForeignColumn],
    query: &ForeignQuery,
) -> Result<String, ForeignError> {
    let mut values: Vec<String> = asked
        .columns()
        .iter()
        .enumerate()
        .map(|(place, column)| text_form(&format!("c{place}"), column.type_()))
        .collect();
    let names: Vec<String> = (0..columns.len()).map(|place| format!("c{place}")).collect();
    let mut end = String::new();
    if let Some(watermark) = &query.watermark {
        let place = columns.iter().position(|column| column.name.eq_ignore_ascii_case(&watermark.column));
        let Some(place) = place else {
            let known: Vec<_> = columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
            let detail =
                format!("it has no column \"{}\" for the watermark; there are {}", watermark.column, known.join(", "));
            return Err(ForeignError::Query { detail });
        };
        let name = format!("c{place}");
        let held = asked.columns()[place].type_();
        if !holds(held, watermark.kind) {
            let detail = format!(
                "column \"{}\" is {held}, which is no {} watermark: choose another type, or cast it in the query",
                watermark.column,
                match watermark.kind {
                    WatermarkKind::Integer => "integer",
                    WatermarkKind::Timestamp => "timestamp",
                    WatermarkKind::Text => "text",
                }
            );
            return Err(ForeignError::Query { detail });
        }
        let finite =
            if watermark.kind == WatermarkKind::Timestamp { format!(" AND isfinite({name})") } else { String::new() };
        values.push(match watermark.kind {
            WatermarkKind::Timestamp => format!("to_char({name}::timestamptz, '{TIME_FORM}')"),
            WatermarkKind::Integer | WatermarkKind::Text => format!("{name}::text"),
        });
        let _ = write!(end, " WHERE {name} IS NOT NULL{finite} ORDER BY {name}");
        if let Some(rows) = query.rows_max {
            // Rows with equal watermarks stay together: the next question asks
            // for what is greater.
            let _ = write!(end, " FETCH FIRST {rows} ROWS WITH TIES");
        }
    } else if let Some(rows) = query.rows_max {
        let _ = write!(end, " LIMIT {rows}");
    }
    // The line break ends a comment at the end of the query.
    Ok(format!("SELECT {} FROM ({inner}\n) AS source ({}){end}", values.join(", "), names.join(", ")))
}

fn holds(held: &Type, kind: WatermarkKind) -> bool {
    match kind {
        WatermarkKind::Integer => matches!(*held, Type::INT2 | Type::INT4 | Type::INT8),
        WatermarkKind::Timestamp => matches!(*held, Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::DATE),
        WatermarkKind::Text => matches!(*held, Type::TEXT | Type::VARCHAR | Type::BPCHAR),
    }
}

/// The session's time zone is UTC, so that a reading without a zone is one in
/// UTC.
fn text_form(name: &str, column_type: &Type) -> String {
    let between = |from: &str, to: &str, form: &str| {
        format!(
            "CASE WHEN isfinite({name}) AND {name} >= '{from}' AND {name} < '{to}' THEN to_char({name}, '{form}') END"
        )
    };
    match *column_type {
        Type::TIMESTAMP | Type::TIMESTAMPTZ => between("0001-01-01", "10000-01-01", TIME_FORM),
        Type::DATE => between("0001-01-01", "10000-01-01", "YYYY-MM-DD"),
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => {
            format!("CASE WHEN {name}::text NOT IN ('NaN', 'Infinity', '-Infinity') THEN {name}::text END")
        }
        _ => match column_type.kind() {
            TypeKind::Array(_) | TypeKind::Composite(_) => format!("to_json({name})::text"),
            _ => format!("{name}::text"),
        },
    }
}
