// Pools, tables, push jobs, data jobs, sources, imports, permissions and app
// keys, as the API tells them. Most of these have no schema in its description
// yet; when they have, these types go.

import { ApiError, json, send } from "../api/client";
import { authorization } from "../session";
import { readJson, writeJson } from "../api/exact";

export interface Pool {
  id: string;
  name: string;
  createdAt: string;
  createdBy: string;
}

export interface Column {
  name: string;
  type: string;
}

export interface Table {
  name: string;
  kind: "table" | "view";
  rows: number | null;
  keys: string[];
  columns: Column[];
  changedBy?: number | null;
  changedAt?: string | null;
  delta?: { path: string; version: number; files: number; bytes: number } | null;
}

export type Row = Record<string, unknown>;

export interface TableWithRows extends Table {
  sample: Row[];
}

export interface PushJob {
  id: string;
  table: string;
  type: string;
  fileType: string;
  status: string;
  logs: string[];
  createdAt: string;
  createdBy: string;
  executedAt: string | null;
  changedAt: string;
  commit?: { number: number; upserted: number; deleted: number } | null;
}

export interface PushJobWithChunks extends PushJob {
  chunks: { id: string; type: string; fileName: string; bytes: number; createdAt: string; kept: boolean }[];
  keptUntil: string | null;
}

export interface DataJob {
  id: string;
  name: string;
  transformations: { name: string; statements: string }[];
  enabled: boolean;
  nextAt: string | null;
  onChangeOf?: string[];
  schedule?: unknown;
  changedAt: string;
}

export interface DataJobRun {
  id: string;
  state: string;
  cause: string;
  error: string | null;
  createdAt: string;
  createdBy: string;
  startedAt: string | null;
  endedAt: string | null;
}

export interface DataJobRunWithStatements extends DataJobRun {
  statements: {
    place: number;
    transformation: string;
    number: number;
    line: number;
    verb: string;
    target: string;
    state: string;
    commit: number | null;
    upserted: number | null;
    deleted: number | null;
    durationMs: number | null;
    error: string | null;
  }[];
}

export interface Source {
  key: string;
  kind: string;
  table: string;
  schedule: unknown;
  paused: boolean;
  watermark: string | null;
  failures: number;
  lastError: string | null;
  lastRunAt: string | null;
  nextAt: string | null;
  rows: number;
  runsDone: number;
  runsFailed: number;
}

export interface DataModel {
  key: string;
  name: string;
  version: number;
  tables: string[];
  activity: {
    table: string;
    caseColumn: string;
    activityColumn: string;
    timestampColumn: string;
    endTimestampColumn: string | null;
    sortingColumn: string | null;
    caseTable: string | null;
    caseTableColumn: string | null;
  } | null;
}

export interface ImportColumn {
  name: string;
  target: string;
  type: string;
  reason: string;
  role: { role: string; confidence: number; reason: string } | null;
}

export interface Import {
  id: string;
  state: "staged" | "loading" | "done" | "failed";
  files: string[];
  bytes: number;
  rowsRead: number;
  error?: string | null;
  format: string;
  options: Record<string, unknown>;
  dialect: { separator: string; charset: string } | null;
  tables: { table: string; rows: number; exact: boolean; columns: ImportColumn[]; first: unknown[][] }[];
  warnings: string[];
}

export interface AppKey {
  id: string;
  name: string;
  administrator: boolean;
  createdAt: string;
  createdBy: string;
  revokedAt: string | null;
}

export interface Grant {
  subject: string;
  permission: string;
  pool: string | null;
  package: string | null;
  grantedAt: string;
  grantedBy: string;
}

export interface SqlAnswer {
  columns: Column[];
  rows: Row[];
  truncated: boolean;
}

const at = (pool: string, rest = "") => `/api/v1/pools/${encodeURIComponent(pool)}${rest}`;
const part = encodeURIComponent;

export const pools = {
  list: () => json<Pool[]>("GET", "/api/v1/pools"),
  create: (name: string) => json<Pool>("POST", "/api/v1/pools", { name }),
  show: (pool: string) => json<Pool>("GET", at(pool)),
  tables: (pool: string) => json<Table[]>("GET", at(pool, "/tables")),
  table: (pool: string, table: string) => json<TableWithRows>("GET", at(pool, `/tables/${part(table)}`)),
  dataModels: (pool: string) => json<DataModel[]>("GET", at(pool, "/data-models")),
};

export const pushJobs = {
  list: (pool: string) => json<PushJob[]>("GET", at(pool, "/push-jobs")),
  show: (pool: string, job: string) => json<PushJobWithChunks>("GET", at(pool, `/push-jobs/${part(job)}`)),
  execute: (pool: string, job: string) => json<unknown>("POST", `/integration/api/v1/data-push/${part(pool)}/jobs/${part(job)}`),
  reload: (pool: string, job: string, options: Record<string, string>) =>
    json<PushJob>("POST", at(pool, `/push-jobs/${part(job)}/reload`), { csvParsingOptions: options }),
};

export const dataJobs = {
  list: (pool: string) => json<DataJob[]>("GET", at(pool, "/data-jobs")),
  show: (pool: string, job: string) => json<DataJob>("GET", at(pool, `/data-jobs/${part(job)}`)),
  put: (pool: string, name: string, transformations: { name: string; sql: string }[]) =>
    json<DataJob>("POST", at(pool, "/data-jobs"), { name, transformations }),
  remove: (pool: string, job: string) => json<void>("DELETE", at(pool, `/data-jobs/${part(job)}`)),
  run: (pool: string, job: string) => json<DataJobRun>("POST", at(pool, `/data-jobs/${part(job)}/run`)),
  runs: (pool: string, job: string) => json<DataJobRun[]>("GET", at(pool, `/data-jobs/${part(job)}/runs`)),
  ran: (pool: string, job: string, run: string) =>
    json<DataJobRunWithStatements>("GET", at(pool, `/data-jobs/${part(job)}/runs/${part(run)}`)),
};

export const sources = {
  list: (pool: string) => json<Source[]>("GET", at(pool, "/sources")),
  act: (pool: string, key: string, verb: "run" | "pause" | "resume") =>
    json<unknown>("POST", at(pool, `/sources/${part(key)}/${verb}`)),
};

export const imports = {
  stage: async (pool: string, file: File, table: string): Promise<Import> => {
    const form = new FormData();
    form.set("file", file);
    const query = table === "" ? "" : `?table=${part(table)}`;
    return (await (await send("POST", at(pool, `/imports${query}`), form)).json()) as Import;
  },
  change: (pool: string, id: string, options: Record<string, unknown>) =>
    json<Import>("PUT", at(pool, `/imports/${id}`), options),
  commit: (pool: string, id: string) => json<Import>("POST", at(pool, `/imports/${id}/commit`)),
  show: (pool: string, id: string) => json<Import>("GET", at(pool, `/imports/${id}`)),
  forget: (pool: string, id: string) => json<void>("DELETE", at(pool, `/imports/${id}`)),
};

export const access = {
  keys: () => json<AppKey[]>("GET", "/api/v1/app-keys"),
  makeKey: (name: string) => json<{ id: string; name: string; key: string }>("POST", "/api/v1/app-keys", { name }),
  revokeKey: (id: string) => json<void>("DELETE", `/api/v1/app-keys/${part(id)}`),
  grants: (pool: string) => json<Grant[]>("GET", `/api/v1/permissions?pool=${part(pool)}`),
  give: (subject: string, permission: string, pool: string) =>
    json<unknown>("POST", "/api/v1/permissions", { subject, permission, pool }),
  take: (subject: string, permission: string, pool: string) =>
    json<unknown>("POST", "/api/v1/permissions/revoke", { subject, permission, pool }),
};

/** Asks in SQL. Whoever aborts stops waiting, and the statement is stopped at the server. */
export async function ask(pool: string, query: string, limit: number, signal: AbortSignal): Promise<SqlAnswer> {
  const headers: Record<string, string> = { "content-type": "application/json", accept: "application/json" };
  const header = authorization();
  if (header !== null) headers["authorization"] = header;
  const response = await fetch(at(pool, "/sql"), { method: "POST", headers, body: writeJson({ query, limit }), signal });
  const body = (await response.text().then(readJson)) as SqlAnswer & { detail?: string; code?: string };
  if (!response.ok) throw new ApiError(response.status, body.detail ?? response.statusText, body.code ?? null);
  return body;
}

/** The whole answer as CSV, without a limit of rows. */
export async function askForCsv(pool: string, query: string): Promise<Blob> {
  const headers = { "content-type": "application/json", accept: "text/csv" };
  return (await send("POST", at(pool, "/sql"), writeJson({ query }), headers)).blob();
}
