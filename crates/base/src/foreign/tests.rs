//! Every type of a foreign PostgreSQL, and how a query goes on.

use std::sync::Arc;

use expect_test::{Expect, expect};
use tokio::net::TcpStream;

use super::*;
use crate::testing::{ThrowAway, run_on};

/// Connects wherever it is told to.
struct Open;

impl Dial for Open {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn Stream>, HttpError>> {
        Box::pin(async move {
            let connected = TcpStream::connect((host, port)).await;
            let target = format!("{host}:{port}");
            let stream = connected.map_err(|error| HttpError::Connect { target, detail: error.to_string() })?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn secure(&self, host: String, _: Box<dyn Stream>) -> BoxFuture<'static, Result<Box<dyn Stream>, HttpError>> {
        Box::pin(async { Err(HttpError::Tls { target: host, detail: "there is no TLS in this test".into() }) })
    }
}

fn connection(server: &ThrowAway) -> Secret {
    use tokio_postgres::config::Host;
    let config = &server.config;
    let [Host::Tcp(host)] = config.get_hosts() else { panic!("a server with one address") };
    let (user, database) = (config.get_user().unwrap_or("postgres"), config.get_dbname().unwrap_or("postgres"));
    let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
    let password = password.map_or_else(String::new, |password| format!(" password='{password}'"));
    Secret::new(format!("host={host} port={} user={user} dbname={database}{password}", config.get_ports()[0]))
}

fn query(server: &ThrowAway, text: &str) -> ForeignQuery {
    ForeignQuery {
        connection: connection(server),
        query: text.to_owned(),
        watermark: None,
        batch_rows: 2,
        rows_max: None,
        patience: Duration::from_secs(30),
    }
}

/// Reads everything and draws it, a batch a line.
async fn drawn(query: ForeignQuery) -> String {
    let reader = PostgresReader::new(Arc::new(Open));
    let mut cursor = match reader.open(query).await {
        Ok(cursor) => cursor,
        Err(error) => return format!("{}: {error}", error.code()),
    };
    let columns = cursor.columns().iter().map(|column| format!("{} {:?}", column.name, column.column_type));
    let mut lines = vec![columns.collect::<Vec<_>>().join(", ")];
    loop {
        let batch = cursor.next().await.expect("the next batch");
        if batch.rows.is_empty() {
            return lines.join("\n");
        }
        let rows = batch
            .rows
            .iter()
            .map(|row| row.iter().map(|value| value.as_deref().unwrap_or("-")).collect::<Vec<_>>().join("|"));
        let watermark = batch.watermark.as_ref().map_or_else(String::new, |watermark| format!(" up to {watermark}"));
        lines.push(format!("{}{watermark}", rows.collect::<Vec<_>>().join("; ")));
    }
}

async fn check(query: ForeignQuery, expected: Expect) {
    expected.assert_eq(&drawn(query).await);
}

#[tokio::test]
async fn every_type_has_a_text() {
    let Some(server) = ThrowAway::make() else { return };
    for (value, expected) in [
        ("32767::smallint", expect!["v Integer: 32767"]),
        ("-9223372036854775808", expect!["v Integer: -9223372036854775808"]),
        ("9223372036854775807::bigint", expect!["v Integer: 9223372036854775807"]),
        ("123456789012345678::numeric(18, 0)", expect!["v Integer: 123456789012345678"]),
        ("1234567890123456789::numeric(19, 0)", expect!["v Float: 1234567890123456789"]),
        ("1.50::numeric(10, 2)", expect!["v Float: 1.50"]),
        ("'NaN'::numeric", expect!["v Float: -"]),
        ("'-Infinity'::float8", expect!["v Float: -"]),
        ("1e100::float8", expect!["v Float: 1e+100"]),
        ("0.1::real", expect!["v Float: 0.1"]),
        ("timestamptz '2026-03-29 03:30:00.123456+02'", expect!["v Time: 2026-03-29T01:30:00.123456Z"]),
        ("timestamp '2026-03-29 02:30:00'", expect!["v Time: 2026-03-29T02:30:00.000000Z"]),
        ("timestamptz 'infinity'", expect!["v Time: -"]),
        ("timestamp '0044-03-15 12:00 BC'", expect!["v Time: -"]),
        ("date '2026-02-28'", expect!["v Day: 2026-02-28"]),
        ("time '08:15'", expect!["v Text: 08:15:00"]),
        ("interval '1 day 2 hours'", expect!["v Text: P1DT2H"]),
        ("true", expect!["v Boolean: true"]),
        ("NULL::boolean", expect!["v Boolean: -"]),
        (r#"'{"a": [1, 2]}'::jsonb"#, expect![[r#"v Text: {"a": [1, 2]}"#]]),
        (r"ARRAY['x', NULL, 'a,b']", expect![[r#"v Text: ["x",null,"a,b"]"#]]),
        ("ARRAY[[1,2],[3,4]]", expect!["v Text: [[1,2],[3,4]]"]),
        ("ROW(1, 'x')", expect!["v Text: (1,x)"]),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", expect!["v Text: a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
        (r"'\xDEADBEEF'::bytea", expect![r"v Text: \xdeadbeef"]),
        ("int4range(1, 5)", expect!["v Text: [1,5)"]),
        ("'10.0.0.1'::inet", expect!["v Text: 10.0.0.1/32"]),
        ("'Grüße, \"Welt\"'", expect![[r#"v Text: Grüße, "Welt""#]]),
    ] {
        let answer = drawn(query(&server, &format!("SELECT {value} AS v -- a comment"))).await;
        expected.assert_eq(&answer.replace('\n', ": "));
    }
}

#[tokio::test]
async fn a_query_goes_on_after_its_watermark() {
    let Some(server) = ThrowAway::make() else { return };
    let make = "CREATE TABLE orders (id integer, at timestamp, name text);
        INSERT INTO orders VALUES (3, '2026-01-03', 'c'), (1, '2026-01-01', 'a'), (2, '2026-01-02', 'b'),
                                  (4, '2026-01-03', 'd'), (NULL, NULL, 'lost')";
    run_on(&server.config, make).expect("a table");
    let by = |column: &str, kind, after: Option<&str>| {
        let text = format!("SELECT id, name, at FROM orders WHERE {column} > {WATERMARK};");
        let watermark = Watermark { column: column.to_uppercase(), kind, after: after.map(str::to_owned) };
        ForeignQuery { watermark: Some(watermark), ..query(&server, &text) }
    };
    check(
        by("id", WatermarkKind::Integer, None),
        expect![[r"
            id Integer, name Text, at Time
            1|a|2026-01-01T00:00:00.000000Z; 2|b|2026-01-02T00:00:00.000000Z up to 2
            3|c|2026-01-03T00:00:00.000000Z; 4|d|2026-01-03T00:00:00.000000Z up to 4"]],
    )
    .await;
    check(
        by("id", WatermarkKind::Integer, Some("3")),
        expect![[r"
            id Integer, name Text, at Time
            4|d|2026-01-03T00:00:00.000000Z up to 4"]],
    )
    .await;
    // Equal watermarks stay together, whatever the limit.
    let limited = ForeignQuery { rows_max: Some(3), ..by("at", WatermarkKind::Timestamp, None) };
    check(
        limited,
        expect![[r"
            id Integer, name Text, at Time
            1|a|2026-01-01T00:00:00.000000Z; 2|b|2026-01-02T00:00:00.000000Z up to 2026-01-02T00:00:00.000000Z
            3|c|2026-01-03T00:00:00.000000Z; 4|d|2026-01-03T00:00:00.000000Z up to 2026-01-03T00:00:00.000000Z"]],
    )
    .await;
    check(
        by("at", WatermarkKind::Timestamp, Some("2026-01-03T00:00:00.000000Z")),
        expect!["id Integer, name Text, at Time"],
    )
    .await;
    check(
        by("name", WatermarkKind::Text, Some("c")),
        expect![[r"
            id Integer, name Text, at Time
            4|d|2026-01-03T00:00:00.000000Z; -|lost|- up to lost"]],
    )
    .await;
}

#[tokio::test]
async fn what_does_not_do_is_told_with_its_mend() {
    let Some(server) = ThrowAway::make() else { return };
    check(
        query(&server, "SELECT 1 AS a, 2 AS \"A\""),
        expect![[
            r#"foreign-query: the query cannot be run: two columns are called "A": give one of them another name by AS"#
        ]],
    )
    .await;
    check(
        query(&server, "SELEC 1"),
        expect![[r#"foreign-query: the query cannot be run: syntax error at or near "SELEC""#]],
    )
    .await;
    check(
        query(&server, "CREATE TABLE t (a int)"),
        expect!["foreign-query: the query cannot be run: it returns no columns: write a SELECT"],
    )
    .await;
    let by = |column: &str, kind| Some(Watermark { column: column.into(), kind, after: None });
    check(
        ForeignQuery { watermark: by("b", WatermarkKind::Integer), ..query(&server, "SELECT 1 AS a") },
        expect![[r#"foreign-query: the query cannot be run: it has no column "b" for the watermark; there are "a""#]],
    )
    .await;
    check(
        ForeignQuery { watermark: by("a", WatermarkKind::Timestamp), ..query(&server, "SELECT 1 AS a") },
        expect![[r#"foreign-query: the query cannot be run: column "a" is int4, which is no timestamp watermark: choose another type, or cast it in the query"#]],
    )
    .await;
}

#[tokio::test]
async fn a_connection_text_is_never_shown() {
    for (text, expected) in [
        ("host=h password='hunter2", "foreign-connection"),
        ("host=/run/postgresql password=hunter2", "foreign-connection"),
        ("user=ada password=hunter2", "foreign-connection"),
        ("host=127.0.0.1 port=1 user=ada password=hunter2", "http-connect"),
    ] {
        let query = ForeignQuery {
            connection: Secret::new(text),
            query: "SELECT 1".into(),
            watermark: None,
            batch_rows: 1,
            rows_max: None,
            patience: Duration::from_secs(30),
        };
        assert_eq!(format!("{query:?}"), "ForeignQuery(SELECT 1)");
        let error = PostgresReader::new(Arc::new(Open)).open(query).await.err().expect("nobody is there");
        assert_eq!(error.code(), expected, "{error}");
        let whole = format!("{error} {error:?} {}", crate::error::chain(&error));
        assert!(!whole.contains("hunter2"), "{whole}");
    }
}
