//! Statements of the API: asked now, answered now or later, kept for an hour.
//!
//! A statement is a row, and its answer is a folder of chunks, each a file in
//! the form in which it goes over the wire. So a chunk is served without
//! looking at it, and what was answered is still there after a restart. A
//! statement that ran when the server went down has failed, and says so: what
//! it wrote is either there as a whole or not at all.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::db::{Row, Tx};
use base::{Actor, Secret, Timestamp, args};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::data_error::DataError;
use crate::sql::{AnswerColumn, Asked, ChunkSize, Form, Parameter, StatementError, understand};
use crate::workspace::{Workspace, note};

/// Bytes of an answer that is sent along with the reply.
const INLINE_BYTES_MAX: u64 = 25 * 1024 * 1024;
/// Bytes of an answer that is fetched by links: beyond, it is cut.
const LINKED_BYTES_MAX: u64 = 100 * 1024 * 1024 * 1024;
/// Statements that run at once; others are pending.
const AT_ONCE: usize = 8;
/// How long answers are kept.
const KEPT: Duration = Duration::from_hours(1);
/// How long it is kept that there was a statement.
const REMEMBERED: Duration = Duration::from_hours(30 * 24);
/// How long a link opens.
pub(crate) const LINK_LIVES: Duration = Duration::from_mins(15);
/// For what links are sealed.
const LINK: &str = "workspace statement link";

/// How an answer reaches the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// In the reply.
    Inline,
    /// By links that open without a token.
    ExternalLinks,
}

/// A statement that is to be run.
#[derive(Clone, Debug)]
pub struct StatementSpec {
    /// The statement.
    pub statement: String,
    /// The warehouse on which it runs: its id.
    pub warehouse: String,
    /// Where names are looked up.
    pub catalog: Option<String>,
    /// Where names are looked up.
    pub schema: Option<String>,
    /// Values for the markers.
    pub parameters: Vec<Parameter>,
    /// The form of the answer.
    pub form: Form,
    /// Its way.
    pub disposition: Disposition,
    /// Rows at most.
    pub rows_max: Option<u64>,
    /// Bytes at most.
    pub bytes_max: Option<u64>,
    /// How long the caller waits for the end.
    pub wait: Duration,
    /// What takes longer is stopped.
    pub cancel_if_slow: bool,
}

/// Where a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementState {
    /// It waits for its turn.
    Pending,
    /// It runs.
    Running,
    /// Its answer is there.
    Succeeded,
    /// It has none.
    Failed,
    /// Somebody stopped it.
    Canceled,
    /// Its answer is not kept any more.
    Closed,
}

impl StatementState {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            StatementState::Pending => "PENDING",
            StatementState::Running => "RUNNING",
            StatementState::Succeeded => "SUCCEEDED",
            StatementState::Failed => "FAILED",
            StatementState::Canceled => "CANCELED",
            StatementState::Closed => "CLOSED",
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "PENDING" => StatementState::Pending,
            "RUNNING" => StatementState::Running,
            "SUCCEEDED" => StatementState::Succeeded,
            "FAILED" => StatementState::Failed,
            "CANCELED" => StatementState::Canceled,
            _ => StatementState::Closed,
        }
    }

    /// Tells whether nothing more happens.
    pub fn is_final(self) -> bool {
        !matches!(self, StatementState::Pending | StatementState::Running)
    }
}

/// What an answer is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The columns.
    pub columns: Vec<AnswerColumn>,
    /// The chunks, in order.
    pub chunks: Vec<ChunkInfo>,
    /// There were more rows.
    pub truncated: bool,
}

impl Manifest {
    /// Counts the rows.
    pub fn rows(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.rows).sum()
    }

    /// Returns the row with which a chunk begins.
    pub fn offset(&self, chunk: usize) -> u64 {
        self.chunks.iter().take(chunk).map(|chunk| chunk.rows).sum()
    }
}

/// The size of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkInfo {
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A statement as it can be seen.
#[derive(Clone, Debug)]
pub struct StatementView {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub state: StatementState,
    /// Code, message and SQLSTATE of why it failed.
    pub error: Option<(String, String, Option<String>)>,
    /// What its answer is made of, once it is there.
    pub manifest: Option<Manifest>,
    /// The form of its answer.
    pub form: Form,
    /// The way of its answer.
    pub disposition: Disposition,
    /// The statement.
    pub statement: String,
    /// On which warehouse.
    pub warehouse: String,
    /// Who asked.
    pub owner: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What all statements of a process have in common.
pub(crate) struct Running {
    turns: Arc<Semaphore>,
    open: Mutex<HashMap<String, Open>>,
}

#[derive(Clone)]
struct Open {
    stop: CancellationToken,
    state: watch::Receiver<StatementState>,
}

impl Default for Running {
    fn default() -> Self {
        Running { turns: Arc::new(Semaphore::new(AT_ONCE)), open: Mutex::default() }
    }
}

/// What a link says.
#[derive(Serialize, Deserialize)]
struct Link {
    statement: String,
    chunk: usize,
    until: i64,
}

impl Workspace {
    /// Runs a statement, and returns when it has ended or the caller has
    /// waited long enough.
    pub async fn execute_statement(
        self: &Arc<Self>,
        actor: &Actor,
        spec: StatementSpec,
    ) -> Result<StatementView, DataError> {
        self.wake_warehouse(&spec.warehouse).await?;
        self.sweep_statements().await?;
        let mut bytes = [0; 16];
        self.chance.fill(&mut bytes);
        let hex = hex::encode(bytes);
        let id = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
        let (tell, state) = watch::channel(StatementState::Pending);
        let stop = CancellationToken::new();
        let changes = understand(&spec.statement).is_ok_and(|understood| understood.changes());
        let (who, now) = (actor.clone(), self.clock.now());
        let (row, known) = (id.clone(), spec.clone());
        self.db
            .write("workspace.begin_statement", move |tx| {
                insert(tx, &row, &who, &known, now)?;
                if changes {
                    let after = json!({ "statement": known.statement });
                    note(tx, &who, "execute", "sql-statement", &row, (None, Some(after)), now)?;
                }
                Ok::<_, DataError>(())
            })
            .await?;
        self.running.open.lock().insert(id.clone(), Open { stop: stop.clone(), state: state.clone() });
        let asked = Asked {
            actor: actor.clone(),
            statement: spec.statement.clone(),
            catalog: spec.catalog.clone(),
            schema: spec.schema.clone(),
            parameters: spec.parameters.clone(),
            form: spec.form,
            rows_max: spec.rows_max,
            bytes_max: Some(spec.bytes_max.unwrap_or(match spec.disposition {
                // One more than fits, so that what does not fit is seen.
                Disposition::Inline => INLINE_BYTES_MAX + 1,
                Disposition::ExternalLinks => LINKED_BYTES_MAX,
            })),
            chunk: ChunkSize { rows: self.options.chunk_rows, bytes: self.options.chunk_bytes },
            key: bytes,
            stop: stop.clone(),
        };
        let inline_max = (spec.disposition == Disposition::Inline).then_some(INLINE_BYTES_MAX);
        tokio::spawn(self.clone().conduct_statement(id.clone(), asked, inline_max, tell));
        let mut waiting = state;
        let ended = tokio::time::timeout(spec.wait, waiting.wait_for(|state| state.is_final())).await.is_ok();
        if !ended && spec.cancel_if_slow {
            stop.cancel();
            // It ends at once: what runs looks at the token.
            let _ = waiting.wait_for(|state| state.is_final()).await;
        }
        self.statement(actor, &id).await
    }

    /// Returns a statement of one's own, or anyone's for an administrator.
    pub async fn statement(&self, actor: &Actor, id: &str) -> Result<StatementView, DataError> {
        let open = self.running.open.lock().get(id).map(|open| *open.state.borrow());
        let (wanted, whose) = (id.to_owned(), whose(actor));
        let found = self.db.read("workspace.statement", move |tx| one(tx, &wanted, whose.as_deref())).await?;
        let mut view = found.ok_or_else(|| DataError::NotFound(format!("The statement {id} was not found.")))?;
        match open {
            Some(state) if !view.state.is_final() && !state.is_final() => view.state = state,
            None if !view.state.is_final() => {
                // The server that ran it is no more. It may also just have
                // ended, so the row is asked again.
                let error = StatementError::internal(
                    "the server stopped while the statement ran; if it writes, see whether its rows are there",
                );
                self.end_statement(id, Err(&error)).await?;
                let (wanted, whose) = (id.to_owned(), self::whose(actor));
                let again = self.db.read("workspace.statement", move |tx| one(tx, &wanted, whose.as_deref())).await?;
                view = again.unwrap_or(view);
            }
            _ => {}
        }
        let kept_until = view.ended_at.map(|ended_at| ended_at.plus(KEPT));
        if view.state == StatementState::Succeeded && kept_until.is_some_and(|until| until <= self.clock.now()) {
            view.state = StatementState::Closed;
        }
        Ok(view)
    }

    /// Reads a chunk of an answer.
    pub async fn statement_chunk(&self, view: &StatementView, chunk: usize) -> Result<Vec<u8>, DataError> {
        check_chunk(view, chunk)?;
        let file = self.chunk_file(&view.id, chunk);
        tokio::fs::read(&file).await.map_err(|_| gone(&view.id))
    }

    /// Makes a link to a chunk that opens without a token, for a while.
    pub fn statement_link(&self, view: &StatementView, chunk: usize) -> Result<(String, Timestamp), DataError> {
        check_chunk(view, chunk)?;
        let until = self.clock.now().plus(LINK_LIVES);
        let link = Link { statement: view.id.clone(), chunk, until: until.as_millis() };
        let text = serde_json::to_string(&link).expect("a link is made of texts");
        let sealed = self.keys.seal(LINK, &Secret::new(text), &*self.chance);
        let key = BASE64URL.encode(sealed);
        Ok((format!("{}/api/2.0/sql/results?key={key}", self.options.public_url), until))
    }

    /// Opens a link: the form and the file of a chunk.
    pub async fn open_statement_link(&self, key: &str) -> Result<(Form, PathBuf), DataError> {
        let refused = || DataError::Denied("the link is not valid, or no longer: ask for the chunk again".into());
        let sealed = BASE64URL.decode(key).map_err(|_| refused())?;
        let text = self.keys.open(LINK, &sealed).map_err(|_| refused())?;
        let link: Link = serde_json::from_str(text.expose()).map_err(|_| refused())?;
        if self.clock.now() >= Timestamp::from_millis(link.until) {
            return Err(refused());
        }
        let id = link.statement.clone();
        let view = self.db.read("workspace.statement", move |tx| one(tx, &id, None)).await?;
        let view = view.ok_or_else(refused)?;
        let file = self.chunk_file(&link.statement, link.chunk);
        if !file.is_file() {
            return Err(gone(&link.statement));
        }
        Ok((view.form, file))
    }

    /// Asks a statement to stop. It may have ended meanwhile: that is no error.
    pub async fn cancel_statement(&self, actor: &Actor, id: &str) -> Result<(), DataError> {
        self.statement(actor, id).await?;
        let open = self.running.open.lock().get(id).cloned();
        if let Some(open) = open {
            open.stop.cancel();
        }
        Ok(())
    }

    /// Forgets an answer before its time.
    pub async fn close_statement(&self, actor: &Actor, id: &str) -> Result<(), DataError> {
        self.cancel_statement(actor, id).await?;
        let wanted = id.to_owned();
        self.db
            .write("workspace.close_statement", move |tx| {
                tx.execute(
                    "UPDATE workspace_statements SET state = 'CLOSED' WHERE id = $1 AND state = 'SUCCEEDED'",
                    args![&wanted],
                )?;
                Ok::<_, DataError>(())
            })
            .await?;
        remove(self.statement_folder(id)).await;
        Ok(())
    }

    /// Lists statements, newest first: one's own, or all for an administrator.
    pub async fn statement_history(
        &self,
        actor: &Actor,
        before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<StatementView>, DataError> {
        let whose = whose(actor);
        let (at, id) = before.unwrap_or((Timestamp::FAR_FUTURE, String::new()));
        self.db
            .read("workspace.statement_history", move |tx| {
                let rows = tx.query(
                    &format!(
                        "{STATEMENT} WHERE (created_at, id) < ($1, $2) AND (owner_id = $3 OR $3 = '') \
                         ORDER BY created_at DESC, id DESC LIMIT $4"
                    ),
                    args![at, &id, whose.as_deref().unwrap_or(""), limit],
                )?;
                rows.iter().map(view_of).collect()
            })
            .await
    }

    async fn conduct_statement(
        self: Arc<Self>,
        id: String,
        asked: Asked,
        inline_max: Option<u64>,
        tell: watch::Sender<StatementState>,
    ) {
        let stop = asked.stop.clone();
        let worked = async {
            let turn = self.running.turns.clone().acquire_owned().await;
            let _turn = turn.map_err(|error| StatementError::internal(error.to_string()))?;
            tell.send_replace(StatementState::Running);
            self.answer_statement(&id, asked, inline_max).await
        };
        let outcome = tokio::select! {
            biased;
            outcome = worked => outcome,
            // A change that commits just now does so all the same: that race is
            // the caller's, and the API says so.
            () = stop.cancelled() => Err(canceled()),
        };
        let outcome = if outcome.is_err() && stop.is_cancelled() { Err(canceled()) } else { outcome };
        if outcome.is_err() {
            remove(self.statement_folder(&id)).await;
        }
        if let Err(error) = self.end_statement(&id, outcome.as_ref()).await {
            tracing::error!(statement.id = id, error = %base::error::chain(&error), "a statement's end cannot be written");
        }
        let state = match &outcome {
            Ok(_) => StatementState::Succeeded,
            Err(error) if error.code == CANCELED => StatementState::Canceled,
            Err(_) => StatementState::Failed,
        };
        self.running.open.lock().remove(&id);
        tell.send_replace(state);
    }

    async fn answer_statement(
        &self,
        id: &str,
        asked: Asked,
        inline_max: Option<u64>,
    ) -> Result<Manifest, StatementError> {
        let statements = self.statements().map_err(|error| StatementError::unsupported(error.to_string()))?;
        let broken = |error: std::io::Error| StatementError::internal(format!("the result cannot be kept: {error}"));
        let mut answered = statements.run(asked).await?;
        let mut manifest = Manifest { columns: std::mem::take(&mut answered.columns), ..Manifest::default() };
        tokio::fs::create_dir_all(self.statement_folder(id)).await.map_err(broken)?;
        let mut bytes = 0;
        while let Some(piece) = answered.pieces.recv().await {
            let piece = piece?;
            manifest.truncated |= piece.truncated;
            if piece.rows == 0 {
                continue;
            }
            bytes += piece.bytes.len() as u64;
            if inline_max.is_some_and(|max| bytes > max) {
                return Err(StatementError::bad(format!(
                    "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of \
                     at most {INLINE_BYTES_MAX} bytes. Please execute the statement with disposition=EXTERNAL_LINKS if \
                     you want to download the full result."
                )));
            }
            let file = self.chunk_file(id, manifest.chunks.len());
            manifest.chunks.push(ChunkInfo { rows: piece.rows, bytes: piece.bytes.len() as u64 });
            tokio::fs::write(file, piece.bytes).await.map_err(broken)?;
        }
        Ok(manifest)
    }

    async fn end_statement(&self, id: &str, outcome: Result<&Manifest, &StatementError>) -> Result<(), DataError> {
        let (id, now) = (id.to_owned(), self.clock.now());
        let state = match outcome {
            Ok(_) => StatementState::Succeeded,
            Err(error) if error.code == CANCELED => StatementState::Canceled,
            Err(_) => StatementState::Failed,
        };
        let manifest = outcome.ok().map(|manifest| json!(manifest).to_string());
        let error = outcome.err().cloned().filter(|error| error.code != CANCELED);
        self.db
            .write("workspace.end_statement", move |tx| {
                tx.execute(
                    "UPDATE workspace_statements SET state = $2, manifest = $3, error_code = $4, error = $5, \
                     sql_state = $6, ended_at = $7 WHERE id = $1 AND ended_at IS NULL",
                    args![
                        &id,
                        state.as_str(),
                        manifest.clone(),
                        error.as_ref().map(|error| error.code.to_owned()),
                        error.as_ref().map(|error| error.message.clone()),
                        error.as_ref().and_then(|error| error.sql_state.map(str::to_owned)),
                        now
                    ],
                )?;
                Ok::<_, DataError>(())
            })
            .await
    }

    /// Forgets answers, and later statements, whose time is over.
    async fn sweep_statements(&self) -> Result<(), DataError> {
        let now = self.clock.now();
        let (kept, remembered) = (now.minus(KEPT), now.minus(REMEMBERED));
        let over: Vec<String> = self
            .db
            .read("workspace.stale_statements", move |tx| {
                let rows = tx.query(
                    "SELECT id FROM workspace_statements WHERE state = 'SUCCEEDED' AND ended_at <= $1 LIMIT 1000",
                    args![kept],
                )?;
                rows.iter().map(|row| Ok::<_, DataError>(row.get(0)?)).collect()
            })
            .await?;
        if over.is_empty() {
            return Ok(());
        }
        for id in &over {
            remove(self.statement_folder(id)).await;
        }
        self.db
            .write("workspace.sweep_statements", move |tx| {
                for id in &over {
                    tx.execute("UPDATE workspace_statements SET state = 'CLOSED' WHERE id = $1", args![id])?;
                }
                tx.execute("DELETE FROM workspace_statements WHERE ended_at <= $1", args![remembered])?;
                Ok::<_, DataError>(())
            })
            .await
    }

    fn statement_folder(&self, id: &str) -> PathBuf {
        self.folder.join("statements").join(id)
    }

    fn chunk_file(&self, id: &str, chunk: usize) -> PathBuf {
        self.statement_folder(id).join(chunk.to_string())
    }
}

fn check_chunk(view: &StatementView, chunk: usize) -> Result<(), DataError> {
    if view.state != StatementState::Succeeded {
        return Err(match view.state {
            StatementState::Closed => gone(&view.id),
            other => DataError::State(format!("the statement {} has no result: it is {}", view.id, other.as_str())),
        });
    }
    let chunks = view.manifest.as_ref().map_or(0, |manifest| manifest.chunks.len());
    if chunk >= chunks {
        return Err(DataError::Invalid(format!("there is no chunk {chunk}: the result has {chunks}")));
    }
    Ok(())
}

/// The code of a statement that was stopped; it is a state, no error.
const CANCELED: &str = "CANCELLED";

fn canceled() -> StatementError {
    StatementError { code: CANCELED, message: "the statement was canceled".into(), sql_state: None }
}

fn gone(id: &str) -> DataError {
    DataError::NotFound(format!("the result of the statement {id} is not kept any more: results are kept for an hour"))
}

fn whose(actor: &Actor) -> Option<String> {
    (!actor.administrator).then(|| actor.id.clone())
}

async fn remove(folder: PathBuf) {
    if let Err(error) = tokio::fs::remove_dir_all(&folder).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "an old result stays on disk");
    }
}

fn form_word(form: Form) -> &'static str {
    match form {
        Form::JsonArray => "JSON_ARRAY",
        Form::Csv => "CSV",
        Form::ArrowStream => "ARROW_STREAM",
    }
}

fn insert(tx: &mut dyn Tx, id: &str, actor: &Actor, spec: &StatementSpec, now: Timestamp) -> Result<(), DataError> {
    let disposition = match spec.disposition {
        Disposition::Inline => "INLINE",
        Disposition::ExternalLinks => "EXTERNAL_LINKS",
    };
    tx.execute(
        "INSERT INTO workspace_statements (id, owner, owner_id, warehouse, statement, state, form, disposition, \
         created_at) VALUES ($1, $2, $3, $4, $5, 'PENDING', $6, $7, $8)",
        args![id, &actor.name, &actor.id, &spec.warehouse, &spec.statement, form_word(spec.form), disposition, now],
    )?;
    Ok(())
}

const STATEMENT: &str = "SELECT id, owner, warehouse, statement, state, form, disposition, error_code, error, \
                         sql_state, manifest, created_at, ended_at FROM workspace_statements";

fn one(tx: &mut dyn Tx, id: &str, owner: Option<&str>) -> Result<Option<StatementView>, DataError> {
    let row = tx.query_one(
        &format!("{STATEMENT} WHERE id = $1 AND (owner_id = $2 OR $2 = '')"),
        args![id, owner.unwrap_or("")],
    )?;
    row.as_ref().map(view_of).transpose()
}

fn view_of(row: &Row) -> Result<StatementView, DataError> {
    let code: Option<String> = row.get(7)?;
    let message: Option<String> = row.get(8)?;
    let sql_state: Option<String> = row.get(9)?;
    let manifest: Option<String> = row.get(10)?;
    let shape = |column| DataError::from(base::db::Error::Shape { column });
    Ok(StatementView {
        id: row.get(0)?,
        owner: row.get(1)?,
        warehouse: row.get(2)?,
        statement: row.get(3)?,
        state: StatementState::parse(&row.get::<String>(4)?),
        form: match row.get::<String>(5)?.as_str() {
            "CSV" => Form::Csv,
            "ARROW_STREAM" => Form::ArrowStream,
            _ => Form::JsonArray,
        },
        disposition: match row.get::<String>(6)?.as_str() {
            "EXTERNAL_LINKS" => Disposition::ExternalLinks,
            _ => Disposition::Inline,
        },
        error: code.zip(message).map(|(code, message)| (code, message, sql_state)),
        manifest: manifest.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| shape(10))?,
        created_at: row.get(11)?,
        ended_at: row.get(12)?,
    })
}
