//! Data integration: push jobs from creation to DONE, and what can be wrong
//! with them.

use std::io::Write;

use axum::body::Body;
use expect_test::expect;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use super::{ADMINISTRATOR, Answer, House, app_key, check, request, send};

const JOBS: &str = "/integration/api/v1/data-push/Purchasing/jobs";
const CSV_JOB: &str = r#"{"targetName":"ORDERS","type":"DELTA","fileType":"CSV","keys":["ID"],
    "connectionId":null,"upsertStrategy":null,"fallbackVarcharLength":80,"tableSchema":null,
    "csvParsingOptions":{"separatorSequence":";","lineEnding":"\r","decimalSeparator":";"},"myOwnKey":[1,2]}"#;

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
