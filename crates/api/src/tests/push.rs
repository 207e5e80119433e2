//! Data integration: push jobs from creation to DONE, and what can be wrong
//! with them.

use std::io::Write;
use std::path::Path;

use axum::body::Body;
use expect_test::expect;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use pools::TablesError;
use pools::rows::{Cell, ColumnBuilder, ColumnType, Rows};

use super::{ADMINISTRATOR, Answer, House, app_key, check, request, send};

const JOBS: &str = "/integration/api/v1/data-push/Purchasing/jobs";
const CSV_JOB: &str = r#"{"targetName":"ORDERS","type":"DELTA","fileType":"CSV","keys":["ID"],
    "connectionId":null,"upsertStrategy":null,"fallbackVarcharLength":80,"tableSchema":null,
    "csvParsingOptions":{"separatorSequence":";","lineEnding":"\r","decimalSeparator":";"},"myOwnKey":[1,2]}"#;

/// Takes CSV behind the four letters with which Parquet begins for Parquet.
pub(super) fn read_parquet(file: &Path) -> Result<Rows, TablesError> {
    let text = std::fs::read_to_string(file).expect("a chunk that was written");
    let mut lines = text.strip_prefix("PAR1").unwrap_or_default().lines().map(|line| line.split(','));
    let header: Vec<_> = lines.next().expect("a header").collect();
    let mut columns: Vec<_> = header.iter().map(|name| ColumnBuilder::new(*name, ColumnType::Text)).collect();
    for line in lines {
        columns.iter_mut().zip(line).for_each(|(column, value)| column.push(Cell::Text(value)));
    }
    Ok(Rows::new(columns.into_iter().map(ColumnBuilder::finish).collect()))
}

impl House {
    async fn job(&self) -> String {
        let made = self.call(&format!("POST {JOBS}/"), CSV_JOB).await;
        made.json()["id"].as_str().expect("a new job has an id").to_owned()
    }

    /// Uploads a form with one part.
    async fn upload(&self, path: &str, part: &str, csv: &[u8]) -> Answer {
        let mut form = format!(
            "--b\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"file\"\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            csv.len()
        )
        .into_bytes();
        form.extend_from_slice(csv);
        form.extend_from_slice(b"\r\n--b--\r\n");
        self.upload_form(path, form, None).await
    }

    async fn upload_form(&self, path: &str, form: Vec<u8>, encoding: Option<&'static str>) -> Answer {
        let mut request = request(&format!("POST {path}"), Some(&app_key(ADMINISTRATOR)), Body::from(form));
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=b"));
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        send(&self.main, request).await
    }
}

#[tokio::test]
async fn a_job_echoes_every_key_on_both_base_paths() {
    let house = House::open().await;
    house.pool().await;
    check(
        &house.call(&format!("POST {JOBS}/"), CSV_JOB).await,
        expect![[r#"
        200 application/json
        {
          "id": "<1>",
          "dataPoolId": "<2>",
          "connectionId": null,
          "targetName": "ORDERS",
          "targetSchema": null,
          "mirrorTargetNames": null,
          "type": "DELTA",
          "fileType": "CSV",
          "status": "NEW",
          "keys": [
            "ID"
          ],
          "foreignKeys": null,
          "upsertStrategy": null,
          "allowDuplicate": null,
          "fallbackVarcharLength": 80,
          "tableSchema": null,
          "csvParsingOptions": {
            "separatorSequence": ";",
            "lineEnding": "\r",
            "decimalSeparator": ";"
          },
          "optionalColumns": null,
          "postExecutionQuery": null,
          "sanitizedPostExecutionQuery": null,
          "logs": [],
          "creationDate": 1767225600000,
          "changeDate": 1767225600000,
          "lastModified": 1767225600000,
          "lastPing": null,
          "myOwnKey": [
            1,
            2
          ]
        }
    "#]],
    );
    let new = house.call("GET /data-ingestion/api/v1/data-push/Purchasing/jobs/", "").await;
    let old = house.call(&format!("GET {JOBS}"), "").await;
    assert_eq!(new.body, old.body);
    assert_eq!(new.json().as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_job_runs_from_new_to_done_over_urls_as_clients_build_them() {
    let house = House::open().await;
    house.pool().await;
    let job = house.job().await;
    let uploaded = house.upload(&format!("{JOBS}//{job}/chunks/upserted"), "file", b"ID;CITY\n1;Ulm\n2;Bonn\n").await;
    check(
        &uploaded,
        expect![[r#"
        200
    "#]],
    );
    check(
        &house.call(&format!("GET {JOBS}/{job}/chunks"), "").await,
        expect![[r#"
        200 application/json
        [
          {
            "id": "<1>",
            "creationDate": 1767225600000,
            "type": "UPSERT",
            "pushJobId": "<2>",
            "checksum": "9b24c54e04e14784b791ea3f575a070edb047f801b478aeb443f70a0d4a992f9"
          }
        ]
    "#]],
    );
    check(
        &house.call(&format!("POST {JOBS}//{job}/"), "{}").await,
        expect![[r#"
        200
    "#]],
    );
    check(
        &house.call(&format!("POST {JOBS}/{job}"), "").await,
        expect![[r#"
            409 application/json
            {
              "reference": "<1>",
              "message": "push job \"<2>\" cannot be executed again: it is QUEUED",
              "shortMessage": "Conflict"
            }
        "#]],
    );
    house.app.pools.drain().await.expect("the worker works");
    let done = house.call(&format!("GET {JOBS}/{job}"), "").await.json();
    assert_eq!(done["status"], "DONE", "{done}");
    check(
        &house.call("GET /integration/api/pools/Purchasing/tables", "").await,
        expect![[r#"
        200 application/json
        [
          {
            "name": "ORDERS",
            "loaderSource": "DATA_PUSH",
            "available": true,
            "dataSourceId": null,
            "dataSourceName": null,
            "columns": [
              {
                "name": "ID",
                "length": null,
                "type": "INTEGER"
              },
              {
                "name": "CITY",
                "length": null,
                "type": "STRING"
              },
              {
                "name": "_CELONIS_CHANGE_DATE",
                "length": null,
                "type": "DATETIME"
              }
            ],
            "type": "TABLE",
            "schemaName": "<1>"
          }
        ]
    "#]],
    );
    assert_eq!(house.call(&format!("DELETE {JOBS}/{job}"), "").await.status, 200);
    check(
        &house.call(&format!("GET {JOBS}/{job}"), "").await,
        expect![[r#"
        404 application/json
        {
          "reference": "<1>",
          "message": "push job \"<2>\" does not exist",
          "shortMessage": "Not Found"
        }
    "#]],
    );
}

#[tokio::test]
async fn a_packed_chunk_is_unpacked() {
    let house = House::open().await;
    house.pool().await;
    let path = format!("{JOBS}/{}/chunks/upserted", house.job().await);
    let form = b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nID;CITY\n1;Ulm\n\r\n--b--\r\n";
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(form).expect("memory takes everything");
    let packed = packer.finish().expect("memory takes everything");
    assert_eq!(house.upload_form(&path, packed, Some("gzip")).await.status, 200);
    check(
        &house.upload_form(&path, b"no gzip at all".to_vec(), Some("gzip")).await,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": "file",
              "error": "the form cannot be read: failed to read stream",
              "errorCode": "form-broken",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
    check(
        &house.upload_form(&path, form.to_vec(), Some("br")).await,
        expect![[r#"
        415 application/json
        {
          "reference": "<1>",
          "message": "content encoding \"br\" is not understood: send \"gzip\", or send it as it is",
          "shortMessage": "Unsupported Media Type"
        }
    "#]],
    );
}

#[tokio::test]
async fn a_chunk_in_the_wrong_part_is_refused_by_name() {
    let house = House::open().await;
    house.pool().await;
    let path = format!("{JOBS}/{}/chunks/upserted", house.job().await);
    check(
        &house.upload(&path, "csv", b"ID\n1\n").await,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": "file",
              "error": "the form has no part named \"file\", only \"csv\"",
              "errorCode": "chunk-part-missing",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
    let raw = house.call(&format!("POST {path}"), "ID\n1\n").await;
    check(
        &raw,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": "file",
              "error": "send the chunk as multipart/form-data, in a part named \"file\"",
              "errorCode": "chunk-not-a-form",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
    let cut_off = b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nID;CI".to_vec();
    check(
        &house.upload_form(&path, cut_off, None).await,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": "file",
              "error": "the form cannot be read: field \"file\" received with incomplete data",
              "errorCode": "form-broken",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
    let chunks = house.call(&format!("GET {}", path.replace("/upserted", "")), "").await;
    assert_eq!(chunks.body, "[]", "nothing of it stays");
}

#[tokio::test]
async fn a_chunk_that_is_not_csv_fails_the_job_with_its_place() {
    let house = House::open().await;
    house.pool().await;
    let job = house.job().await;
    let csv = b"ID;CITY\n1;Ulm\n2;Bonn;too;much\n";
    assert_eq!(house.upload(&format!("{JOBS}/{job}/chunks/upserted"), "file", csv).await.status, 200);
    assert_eq!(house.call(&format!("POST {JOBS}/{job}"), "").await.status, 200);
    house.app.pools.drain().await.expect("the worker works");
    let failed = house.call(&format!("GET {JOBS}/{job}"), "").await.json();
    assert_eq!(failed["status"], "ERROR");
    let logs = failed["logs"].to_string();
    assert!(logs.contains("line 3"), "{logs}");
    assert_eq!(house.call("GET /integration/api/pools/Purchasing/tables", "").await.body, "[]");
}

#[tokio::test]
async fn what_is_not_there_or_not_right_is_told() {
    let house = House::open().await;
    check(
        &house.call("POST /integration/api/v1/data-push/Sales/jobs/", CSV_JOB).await,
        expect![[r#"
        404 application/json
        {
          "reference": "<1>",
          "message": "data pool \"Sales\" does not exist",
          "shortMessage": "Not Found"
        }
    "#]],
    );
    house.pool().await;
    check(
        &house.call(&format!("GET {JOBS}/4711"), "").await,
        expect![[r#"
        404 application/json
        {
          "reference": "<1>",
          "message": "push job \"4711\" does not exist",
          "shortMessage": "Not Found"
        }
    "#]],
    );
    check(
        &house.call(&format!("POST {JOBS}"), r#"{"type":"DELTA","fileType":"CSV"}"#).await,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": "targetName",
              "error": "\"targetName\" is missing",
              "errorCode": "key-missing",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
    check(
        &house.call(&format!("POST {JOBS}"), "{\"targetName\":\"A\",\n \"type\":\"MERGE\"}").await,
        expect![[r#"
            400 application/json
            {
              "errors": [
                {
                  "attribute": "type",
                  "error": "the body does not fit at \"type\": unknown variant `MERGE`, expected `REPLACE` or `DELTA` at line 2 column 15",
                  "errorCode": "body-mismatch",
                  "additionalInfo": {
                    "line": 2,
                    "column": 15
                  }
                }
              ]
            }
        "#]],
    );
    check(
        &house.call("GET /integration/api/no-such-thing", "").await,
        expect![[r#"
        404 application/json
        {
          "reference": "<1>",
          "message": "there is nothing at GET /integration/api/no-such-thing",
          "shortMessage": "Not Found"
        }
    "#]],
    );
    check(
        &house.call_with(None, "GET /integration/api/pools").await,
        expect![[r#"
        401 application/json
        {
          "reference": "<1>",
          "message": "the request has no authorization header",
          "shortMessage": "Unauthorized"
        }
    "#]],
    );
    check(
        &house.call_as_stranger(&format!("GET {JOBS}")).await,
        expect![[r#"
        403 application/json
        {
          "reference": "<1>",
          "message": "\"stranger\" lacks the permission \"data-push\" on pool \"<2>\"",
          "shortMessage": "Forbidden"
        }
    "#]],
    );
    check(
        &house.call("POST /integration/api/pools", r#"{"name":"Purchasing"}"#).await,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": "name",
              "error": "a data pool named \"Purchasing\" exists already",
              "errorCode": "name.unique",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
}

#[tokio::test]
async fn what_sdks_ask_first_is_answered() {
    let house = House::open().await;
    house.pool().await;
    check(
        &house.call("GET /api/cloud", "").await,
        expect![[r#"
        200 application/json
        {
          "id": "admin",
          "name": "bootstrap (admin)",
          "email": null,
          "active": true,
          "role": "ADMIN",
          "currentTeam": {
            "id": "<1>",
            "name": "Loopwright"
          }
        }
    "#]],
    );
    check(
        &house.call("GET /api/cloud/permissions", "").await,
        expect![[r#"
        200 application/json
        [
          {
            "serviceName": "event-collection",
            "permissions": [
              "CREATE_DATA_POOL",
              "EDIT_ALL_DATA_POOLS"
            ]
          },
          {
            "serviceName": "package-manager",
            "permissions": [
              "CREATE_SPACE"
            ]
          }
        ]
    "#]],
    );
    check(
        &house.call("GET /api/cloud/team/", "").await,
        expect![[r#"
        200 application/json
        {
          "id": "<1>",
          "name": "Loopwright",
          "domain": "loopwright",
          "trackingEnabled": false
        }
    "#]],
    );
    assert_eq!(house.call("GET /api/team", "").await.json()["domain"], "loopwright");
    check(
        &house.call("GET /integration/api/pools", "").await,
        expect![[r#"
        200 application/json
        [
          {
            "id": "<1>",
            "name": "Purchasing",
            "description": null,
            "creationDate": 1767225600000,
            "creatorUsername": "bootstrap (admin)",
            "configurationStatus": "READY",
            "locked": false
          }
        ]
    "#]],
    );
    check(
        &house.call("GET /integration/api/pools/paged?limit=1&page=0", "").await,
        expect![[r#"
        200 application/json
        {
          "content": [
            {
              "id": "<1>",
              "name": "Purchasing",
              "description": null,
              "creationDate": 1767225600000,
              "creatorUsername": "bootstrap (admin)",
              "configurationStatus": "READY",
              "locked": false
            }
          ],
          "pageNumber": 0,
          "pageSize": 1,
          "totalCount": 1
        }
    "#]],
    );
    check(
        &house.call("GET /integration/api/pools/paged?limit=a", "").await,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": "limit",
              "error": "\"limit\" must be a whole number from 0 on, not \"a\"",
              "errorCode": "parameter-mismatch",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
}

#[tokio::test]
async fn a_file_may_come_without_a_form_where_it_says_what_it_is() {
    let house = House::open().await;
    house.pool().await;
    let job = house.job().await;
    let mut request = request(
        &format!("POST {JOBS}/{job}/chunks/upserted/"),
        Some(&app_key(ADMINISTRATOR)),
        Body::from("ID;CITY\n1;Ulm\n"),
    );
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    assert_eq!(send(&house.main, request).await.status, 200);
    let executed = house.call(&format!("POST {JOBS}/{job}?duplicateRemovalColumn="), "").await;
    assert_eq!(executed.status, 200);
    house.app.pools.drain().await.expect("the worker works");
    assert_eq!(house.call(&format!("GET {JOBS}/{job}"), "").await.json()["status"], "DONE");
}

#[tokio::test]
async fn a_wrong_separator_is_said_and_mended() {
    let house = House::open().await;
    let pool = house.pool().await;
    let made = r#"{"targetName":"ORDERS","type":"REPLACE","fileType":"CSV","keys":null,
        "csvParsingOptions":{"separatorSequence":",","dateFormat":null}}"#;
    let job = house.call(&format!("POST {JOBS}"), made).await.json()["id"].as_str().expect("an id").to_owned();
    house.upload(&format!("{JOBS}/{job}/chunks/upserted"), "file", b"ID;CITY\n1;Ulm\n").await;
    house.call(&format!("POST {JOBS}/{job}"), "").await;
    house.app.pools.drain().await.expect("the worker works");
    let own = format!("/api/v1/pools/{pool}/push-jobs");
    check(
        &house.call(&format!("GET {own}/{job}"), "").await,
        expect![[r#"
        200 application/json
        {
          "id": "<1>",
          "table": "ORDERS",
          "type": "REPLACE",
          "fileType": "CSV",
          "status": "DONE",
          "logs": [
            "one column, its header contains `;`: check separatorSequence",
            "1 rows came in and 0 were deleted with commit 1",
            "the chunks are kept until 2026-01-02T00:00:00.000Z: POST /api/v1/pools/<2>/push-jobs/<1>/reload with other csvParsingOptions loads them again"
          ],
          "createdAt": "2026-01-01T00:00:00.000Z",
          "createdBy": "bootstrap (admin)",
          "executedAt": "2026-01-01T00:00:00.000Z",
          "changedAt": "2026-01-01T00:00:00.000Z",
          "commit": {
            "number": 1,
            "upserted": 1,
            "deleted": 0
          },
          "chunks": [
            {
              "id": "<3>",
              "type": "UPSERT",
              "fileName": "file",
              "bytes": 14,
              "checksum": "ad5907d84d4395e29418a8e2f4f4eb3af2e56fd6a74399292efa1bcb08d74a88",
              "createdAt": "2026-01-01T00:00:00.000Z",
              "kept": true
            }
          ],
          "keptUntil": "2026-01-02T00:00:00.000Z"
        }
    "#]],
    );
    let options = r#"{"csvParsingOptions":{"separatorSequence":";","quoteSequence":null}}"#;
    check(
        &house.call(&format!("POST {own}/{job}/reload"), options).await,
        expect![[r#"
        201 application/json
        {
          "id": "<1>",
          "table": "ORDERS",
          "type": "REPLACE",
          "fileType": "CSV",
          "status": "QUEUED",
          "logs": [],
          "createdAt": "2026-01-01T00:00:00.000Z",
          "createdBy": "bootstrap (admin)",
          "executedAt": "2026-01-01T00:00:00.000Z",
          "changedAt": "2026-01-01T00:00:00.000Z",
          "commit": null
        }
    "#]],
    );
    check(
        &house.call(&format!("POST {own}/{job}/reload"), options).await,
        expect![[r#"
        409 application/problem+json
        {
          "type": "urn:loopwright:problem:push-job-not-reloadable",
          "title": "Conflict",
          "status": 409,
          "detail": "push job \"<1>\" cannot be loaded again: its chunks are no longer kept; push the file again",
          "instance": "<2>",
          "code": "push-job-not-reloadable"
        }
    "#]],
    );
    check(
        &house.call(&format!("POST {own}/{job}/reload"), "{}").await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:body-field-missing",
          "title": "Bad Request",
          "status": 400,
          "detail": "the body does not fit at \"csvParsingOptions\": missing field `csvParsingOptions` at line 1 column 2",
          "instance": "<1>",
          "code": "body-field-missing",
          "attribute": "csvParsingOptions",
          "line": 1,
          "column": 2
        }
    "#]],
    );
    house.app.pools.drain().await.expect("the worker works");
    let jobs = house.call(&format!("GET {JOBS}"), "").await.json();
    let options = |job: &serde_json::Value| job["csvParsingOptions"].clone();
    let now = serde_json::json!({"separatorSequence": ";", "dateFormat": null});
    assert!(jobs.as_array().expect("an array").iter().any(|job| options(job) == now), "{jobs}");
    let tables = house.call(&format!("GET /api/v1/pools/{pool}/tables"), "").await.json();
    assert_eq!((&tables[0]["columns"][1]["name"], &tables[0]["rows"]), (&"CITY".into(), &1.into()));
}

const ITEMS: &str = "/continuous-batch-processing/api/v1/Purchasing/items";

#[tokio::test]
async fn a_file_of_continuous_push_is_taken_and_shown() {
    let house = House::open().await;
    let pool = house.pool().await;
    let query = "targetName=ORDERS&primaryKeys=ID,%20CITY&clientId=my-client&fallbackVarcharLength=10000\
                 &connectionId=&duplicateRemovalOrderColumn=AGE&unknown=1";
    let taken = house.upload(&format!("{ITEMS}?{query}"), "file", b"PAR1ID,CITY,AGE\n1,Ulm,2\n1,Ulm,1\n").await;
    check(
        &taken,
        expect![[r#"
        200 application/json
        {
          "id": "<1>",
          "fileName": "file",
          "bucketId": "<2>",
          "flushStatus": "NEW",
          "clientId": "my-client",
          "fallbackVarcharLength": 10000,
          "upsertStrategy": null
        }
    "#]],
    );
    house.app.pools.drain().await.expect("the worker works");
    let id = taken.json()["id"].as_str().expect("an id").to_owned();
    check(
        &house.call(&format!("GET /api/v1/pools/{pool}/push-jobs/{id}"), "").await,
        expect![[r#"
        200 application/json
        {
          "id": "<1>",
          "table": "ORDERS",
          "type": "CONTINUOUS",
          "fileType": "PARQUET",
          "status": "DONE",
          "logs": [
            "1 rows were outdone by newer rows of the same push",
            "1 rows came in and 0 were deleted with commit 1"
          ],
          "createdAt": "2026-01-01T00:00:00.000Z",
          "createdBy": "bootstrap (admin)",
          "executedAt": "2026-01-01T00:00:00.000Z",
          "changedAt": "2026-01-01T00:00:00.000Z",
          "commit": {
            "number": 1,
            "upserted": 1,
            "deleted": 0
          },
          "chunks": [
            {
              "id": "<2>",
              "type": "UPSERT",
              "fileName": "file",
              "bytes": 32,
              "checksum": "0bf3a72eb8292cb3863a25298b94b25e7aa8529c814ac2cd63fef609523a8dd1",
              "createdAt": "2026-01-01T00:00:00.000Z",
              "kept": false
            }
          ],
          "keptUntil": null
        }
    "#]],
    );
    assert_eq!(house.call(&format!("GET {JOBS}"), "").await.body, "[]", "clients of push jobs do not see it");
    let listed = house.call(&format!("GET /api/v1/pools/{pool}/push-jobs"), "").await.json();
    assert_eq!(listed[0]["status"], "DONE");
}

#[tokio::test]
async fn what_continuous_push_does_not_take() {
    let house = House::open().await;
    house.pool().await;
    check(
        &house.upload(ITEMS, "file", b"PAR1ID\n1\n").await,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": "targetName",
              "error": "the parameter \"targetName\" is missing: it names the table",
              "errorCode": "parameter-missing",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
    let into_orders = format!("{ITEMS}/?targetName=ORDERS");
    check(
        &house.upload(&into_orders, "file", b"ID\n1\n").await,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": null,
              "error": "file \"file\" failed Parquet validation: it is not Parquet, and continuous push takes nothing else; push CSV by a data push job",
              "errorCode": "parquet-invalid",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
    check(
        &house.upload(&into_orders, "data", b"PAR1ID\n1\n").await,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": "file",
              "error": "the form has no part named \"file\", only \"data\"",
              "errorCode": "chunk-part-missing",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
    check(
        &house.upload(&format!("{into_orders}&primaryKeys=NO"), "file", b"PAR1ID\n1\n").await,
        expect![[r#"
        400 application/json
        {
          "errors": [
            {
              "attribute": null,
              "error": "file \"file\" failed Parquet validation: key column \"NO\" is missing; there are \"ID\"",
              "errorCode": "parquet-invalid",
              "additionalInfo": null
            }
          ]
        }
    "#]],
    );
    check(
        &house.upload(&format!("{into_orders}&fallbackVarcharLength=long"), "file", b"PAR1ID\n1\n").await,
        expect![[r#"
            400 application/json
            {
              "errors": [
                {
                  "attribute": "fallbackVarcharLength",
                  "error": "\"fallbackVarcharLength\" must be a whole number from 0 on, not \"long\"",
                  "errorCode": "parameter-mismatch",
                  "additionalInfo": null
                }
              ]
            }
        "#]],
    );
    check(
        &house.call_as_stranger(&format!("POST {into_orders}")).await,
        expect![[r#"
        403 application/json
        {
          "reference": "<1>",
          "message": "\"stranger\" lacks the permission \"continuous-data-push\" on pool \"<2>\"",
          "shortMessage": "Forbidden"
        }
    "#]],
    );
    assert_eq!(house.call("GET /api/v1/pools/Purchasing/push-jobs", "").await.body, "[]");
}

#[tokio::test]
async fn more_executions_than_are_allowed_are_put_off() {
    let options = pools::Options { executions_per_hour_max: 1, ..pools::Options::default() };
    let house = House::open_with(options).await;
    house.pool().await;
    for expected in [200, 429] {
        let job = house.job().await;
        house.upload(&format!("{JOBS}/{job}/chunks/upserted"), "file", b"ID;CITY\n1;Ulm\n").await;
        let answer = house.call(&format!("POST {JOBS}/{job}"), "").await;
        assert_eq!(answer.status, expected);
        if expected == 429 {
            assert_eq!(answer.header("retry-after"), "3600");
            check(
                &answer,
                expect![[r#"
                429 application/json
                {
                  "reference": "<1>",
                  "message": "at most 1 push jobs are executed an hour: try again in 3600 s",
                  "shortMessage": "Too Many Requests"
                }
            "#]],
            );
        }
    }
}

#[tokio::test]
async fn a_job_is_deleted_in_every_state_but_while_it_runs() {
    let house = House::open().await;
    house.pool().await;
    let fresh = house.job().await;
    assert_eq!(house.call(&format!("DELETE {JOBS}/{fresh}/"), "").await.status, 200);
    let waiting = house.job().await;
    house.upload(&format!("{JOBS}/{waiting}/chunks/upserted"), "file", b"ID;CITY\n1;Ulm\n").await;
    house.call(&format!("POST {JOBS}/{waiting}"), "").await;
    assert_eq!(house.call(&format!("DELETE {JOBS}//{waiting}"), "").await.status, 200);
    house.app.pools.drain().await.expect("the worker works");
    assert_eq!(house.call("GET /integration/api/pools/Purchasing/tables", "").await.body, "[]");
    assert_eq!(house.call(&format!("DELETE {JOBS}/{waiting}"), "").await.status, 404);
}

#[tokio::test]
async fn unset_keys_may_be_null_or_zero_and_unknown_ones_anything() {
    let house = House::open().await;
    house.pool().await;
    for job in [
        r#"{"targetName":"A","type":"DELTA","fileType":null,"keys":null,"id":null,"status":null,"logs":null,
            "allowDuplicate":true,"foreignKeys":null,"postExecutionQuery":"DROP TABLE A","mirrorTargetNames":["B"],
            "tableSchema":null,"csvParsingOptions":null,"connectionId":null,"upsertStrategy":null,
            "fallbackVarcharLength":null,"lastPing":0,"changeDate":0,"lastModified":null,"optionalColumns":[{"a":1}]}"#,
        r#"{"targetName":"A","type":"REPLACE","fileType":"CSV","fallbackVarcharLength":0,"dataConnectionId":"x",
            "tableSchema":{"tableName":"A","columns":[{"columnName":"X","columnType":"STRING","fieldLength":0,
            "decimals":0,"pkField":null},{"columnName":"Y","columnType":"DATETIME"}]},
            "csvParsingOptions":{"separatorSequence":null,"quoteSequence":null,"escapeSequence":null,"lineEnding":null,
            "charSet":null,"decimalSeparator":null,"thousandSeparator":null,"dateFormat":null,
            "additionalColumnOptions":[{"columnName":"Y","dateFormat":null,"thousandsSeparator":null,
            "decimalSeparator":null}],"columnSeparator":";","quoteChar":"'","header":true}}"#,
        r#"{"targetName":"A","type":"DELTA","tableSchema":{"tableName":null,"columns":null},"csvParsingOptions":{
            "additionalColumnOptions":null,"thousandsSeparator":"."}}"#,
    ] {
        let made = house.call(&format!("POST {JOBS}//"), job).await;
        assert_eq!((made.status.as_u16(), &made.json()["status"]), (200, &"NEW".into()), "{}", made.body);
    }
}
