// Pools, tables, push jobs, data jobs, sources, imports, permissions and app
// keys, as the API tells them.

import { ApiError, json, send, type Of } from "../api/client";
import { authorization } from "../session";
import { readJson, writeJson } from "../api/exact";

export type Pool = Of<"Pool">;
export type Column = Of<"TableColumn">;
export type Table = Of<"Table">;
export type Row = Record<string, unknown>;
export type TableWithRows = Of<"TableWithRows">;
export type PushJob = Of<"PushJob">;
export type PushJobWithChunks = Of<"PushJobWithChunks">;
export type DataJob = Of<"DataJob">;
export type DataJobRun = Of<"DataJobRun">;
export type DataJobRunWithStatements = Of<"DataJobRunWithStatements">;
export type Source = Of<"Source">;
export type DataModel = Of<"DataModel">;
export type ImportColumn = Of<"ImportColumn">;
export type Import = Of<"ImportWithPreview">;
export type AppKey = Of<"AppKey">;
export type Grant = Of<"Grant">;
export type SqlAnswer = Of<"SqlAnswer">;

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
    json<Source>("POST", at(pool, `/sources/${part(key)}/${verb}`)),
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
  commit: async (pool: string, id: string): Promise<Import> => {
    await json<Of<"Import">>("POST", at(pool, `/imports/${id}/commit`));
    return imports.show(pool, id);
  },
  show: (pool: string, id: string) => json<Import>("GET", at(pool, `/imports/${id}`)),
  forget: (pool: string, id: string) => json<void>("DELETE", at(pool, `/imports/${id}`)),
};

export const access = {
  keys: () => json<AppKey[]>("GET", "/api/v1/app-keys"),
  makeKey: (name: string) => json<Of<"AppKeyMade">>("POST", "/api/v1/app-keys", { name }),
  revokeKey: (id: string) => json<void>("DELETE", `/api/v1/app-keys/${part(id)}`),
  grants: (pool: string) => json<Grant[]>("GET", `/api/v1/permissions?pool=${part(pool)}`),
  /** What a key holds, wherever. */
  grantsOf: (subject: string) => json<Grant[]>("GET", `/api/v1/permissions?subject=${part(subject)}`),
  /** On a pool, or on the team where none is named. */
  give: async (subject: string, permission: string, pool?: string): Promise<void> => {
    await json<Grant>("POST", "/api/v1/permissions", { subject, permission, pool });
  },
  take: (subject: string, permission: string, pool?: string) =>
    json<void>("POST", "/api/v1/permissions/revoke", { subject, permission, pool }),
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
