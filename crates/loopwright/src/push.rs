//! Pushing rows over the Data Push API, as any client would: create a job, add
//! chunks, execute, poll until it has ended.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use bytes::Bytes;
use http::Method;
use serde_json::{Value as Json, json};

use crate::client::{Client, segment};

/// First and longest pause between two looks at a running job.
const POLL_FIRST: Duration = Duration::from_millis(2);
const POLL_LONGEST: Duration = Duration::from_millis(250);

/// What a push does to its table.
#[derive(Clone, Debug, Default)]
pub(crate) struct PushPlan {
    /// The pool's id.
    pub(crate) pool: String,
    /// The table.
    pub(crate) table: String,
    /// Key columns; none to append.
    pub(crate) keys: Vec<String>,
    /// Replace the table instead of adding to it.
    pub(crate) replace: bool,
    /// Column types that are binding: `(name, INTEGER | DATETIME | …)`.
    pub(crate) types: Vec<(String, String)>,
}

/// A push job that has been created.
pub(crate) struct Push<'a> {
    client: &'a Client,
    base: String,
}

impl<'a> Push<'a> {
    /// Creates the job.
    pub(crate) async fn create(client: &'a Client, plan: &PushPlan) -> Result<Self> {
        let jobs = format!("/integration/api/v1/data-push/{}/jobs/", segment(&plan.pool));
        let columns: Vec<Json> =
            plan.types.iter().map(|(name, kind)| json!({ "columnName": name, "columnType": kind })).collect();
        let schema =
            if columns.is_empty() { Json::Null } else { json!({ "tableName": plan.table, "columns": columns }) };
        let keys = if plan.keys.is_empty() { Json::Null } else { json!(plan.keys) };
        let job = client
            .post(
                &jobs,
                &json!({
                    "dataPoolId": plan.pool,
                    "targetName": plan.table,
                    "type": if plan.replace { "REPLACE" } else { "DELTA" },
                    "fileType": "CSV",
                    "keys": keys,
                    "tableSchema": schema,
                }),
            )
            .await?;
        let id = job["id"].as_str().ok_or_else(|| anyhow!("the server did not name the push job"))?;
        Ok(Push { client, base: format!("{jobs}{id}") })
    }

    /// Adds a chunk: CSV text with its header.
    pub(crate) async fn chunk(&self, file_name: &str, csv: &[u8]) -> Result<()> {
        let boundary = boundary_for(csv);
        let mut body = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
             content-type: text/csv\r\n\r\n",
            file_name.replace('"', "_")
        )
        .into_bytes();
        body.extend_from_slice(csv);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let path = format!("{}/chunks/upserted", self.base);
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let answer = self.client.call(Method::POST, &path, Some(&content_type), body.into()).await?;
        answer.json(&Method::POST, &path)?;
        Ok(())
    }

    /// Executes the job and waits until it has ended; returns the job as the
    /// server tells it.
    pub(crate) async fn execute(self) -> Result<Json> {
        let answer = self.client.call(Method::POST, &self.base, None, Bytes::new()).await?;
        answer.json(&Method::POST, &self.base)?;
        let mut pause = POLL_FIRST;
        loop {
            let job = self.client.get(&self.base).await?;
            match job["status"].as_str() {
                Some("DONE") => return Ok(job),
                Some("ERROR" | "CANCELED") => {
                    let log: Vec<&str> =
                        job["logs"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
                    bail!("the push job ended with an error: {}", log.join("; "));
                }
                Some(_) => {}
                None => bail!("the server did not tell the push job's status"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL_LONGEST);
        }
    }
}

/// Pushes one CSV text in one chunk.
pub(crate) async fn push_csv(client: &Client, plan: &PushPlan, csv: &[u8]) -> Result<Json> {
    let push = Push::create(client, plan).await?;
    push.chunk(&format!("{}.csv", plan.table), csv).await?;
    push.execute().await
}

/// Finds a boundary that does not occur in the text.
fn boundary_for(text: &[u8]) -> String {
    let mut number = 0u64;
    loop {
        let boundary = format!("loopwright-{number}");
        if !text.windows(boundary.len()).any(|window| window == boundary.as_bytes()) {
            return boundary;
        }
        number += 1;
    }
}
