// Calls of the workspace: the same API that every other client uses, and one
// of its own for signing in. Ids have up to 18 digits, more than a JavaScript
// number holds, so they are read as texts and written as digits.

import { ApiError } from "../api/error";
import { authorization } from "./session";

/** The older of the two words about how a run stands. */
export interface StateBlock {
  life_cycle_state: string;
  result_state?: string;
  state_message?: string;
  queue_reason?: string;
}

/** A task of a job, or its latest attempt in a run. */
export interface Task {
  task_key: string;
  depends_on?: { task_key: string; outcome?: string }[];
  run_if?: string;
  run_id?: string;
  attempt_number?: number;
  start_time?: number;
  end_time?: number;
  state?: StateBlock;
  [body: string]: unknown;
}

export interface Parameter {
  name: string;
  default?: string;
  value?: string;
}

export interface Run {
  job_id: string | number;
  run_id: string;
  run_name: string;
  run_type: string;
  trigger: string;
  creator_user_name: string;
  start_time: number;
  end_time: number;
  run_duration: number;
  attempt_number: number;
  state: StateBlock;
  tasks?: Task[];
  job_parameters?: Parameter[];
}

export interface JobSettings {
  name: string;
  tasks?: Task[];
  parameters?: Parameter[];
  max_concurrent_runs: number;
  queue?: { enabled: boolean };
  schedule?: { quartz_cron_expression: string; timezone_id: string; pause_status?: string };
  trigger?: { pause_status?: string; periodic?: { interval: number; unit: string } };
  continuous?: { pause_status?: string };
  [setting: string]: unknown;
}

export interface Job {
  job_id: string;
  creator_user_name: string;
  run_as_user_name: string;
  created_time: number;
  settings: JobSettings;
}

/** What a task printed, and how it failed. */
export interface Output {
  logs?: string;
  logs_truncated?: boolean;
  error?: string;
  error_trace?: string;
  notebook_output?: { result?: string; truncated?: boolean };
  run_job_output?: { run_id: string };
}

export interface Token {
  token_id: string;
  comment: string;
  creation_time: number;
  expiry_time: number;
}

export interface Me {
  userName: string;
  displayName: string;
}

export interface Listed<K extends string, T> {
  items: T[];
  next: string | null;
  key?: K;
}

const JOBS = "/api/2.2/jobs";

export const readMe = () => get<Me>("/api/2.0/preview/scim/v2/Me");

/** Signs in with an app key of the program; the answer holds a token. */
export const signIn = (key: string) => post<{ token: string }>("/login", { key });

export async function readJobs(after: string | null): Promise<Listed<"jobs", Job>> {
  const page = await get<{ jobs?: Job[]; next_page_token?: string }>(`${JOBS}/list?limit=50${pageOf(after)}`);
  return { items: page.jobs ?? [], next: page.next_page_token || null };
}

export const readJob = (id: string) => get<Job>(`${JOBS}/get?job_id=${id}`);

export async function readRuns(job: string | null, after: string | null): Promise<Listed<"runs", Run>> {
  const ofJob = job === null ? "" : `&job_id=${job}`;
  const page = await get<{ runs?: Run[]; next_page_token?: string }>(`${JOBS}/runs/list?limit=24${ofJob}${pageOf(after)}`);
  return { items: page.runs ?? [], next: page.next_page_token || null };
}

export const readRun = (id: string) => get<Run>(`${JOBS}/runs/get?run_id=${id}`);
export const readOutput = (id: string) => get<Output>(`${JOBS}/runs/get-output?run_id=${id}`);

/** Tells when a job runs by itself next, in milliseconds. */
export const readNextRun = (id: string) =>
  get<{ next_run_time: number | null }>(`/api/2.0/loopwright/next-run?job_id=${id}`);

/** Changes fields of a job's settings. */
export const changeJob = (id: string, settings: object) =>
  post<object>(`${JOBS}/update`, `{"job_id":${id},"new_settings":${JSON.stringify(settings)}}`);

/** Starts a job; its parameters are texts. */
export const runNow = (id: string, parameters: Record<string, string>) =>
  post<{ run_id: string }>(
    `${JOBS}/run-now`,
    `{"job_id":${id},"idempotency_token":"${crypto.randomUUID()}","job_parameters":${JSON.stringify(parameters)}}`,
  );

export const cancelRun = (id: string) => post<object>(`${JOBS}/runs/cancel`, `{"run_id":${id}}`);

/** Runs again what failed. */
export const repairRun = (id: string) =>
  post<object>(`${JOBS}/runs/repair`, `{"run_id":${id},"rerun_all_failed_tasks":true}`);

/** How far somebody has read in what a task printed, in bytes. */
export interface LogPlace {
  output: number;
  errors: number;
}

/** Reads on in what a task has printed so far. */
export const readLogs = (id: string, from: LogPlace) =>
  get<{ output: string; errors: string; next: LogPlace }>(
    `/api/2.0/loopwright/logs?run_id=${id}&output=${from.output}&errors=${from.errors}`,
  );

export const readTokens = async () => (await get<{ token_infos?: Token[] }>("/api/2.0/token/list")).token_infos ?? [];
export const makeToken = (comment: string, days: number | null) =>
  post<{ token_value: string; token_info: Token }>("/api/2.0/token/create", {
    comment,
    ...(days === null ? {} : { lifetime_seconds: days * 86_400 }),
  });
export const endToken = (id: string) => post<object>("/api/2.0/token/delete", { token_id: id });

function pageOf(token: string | null): string {
  return token === null ? "" : `&page_token=${encodeURIComponent(token)}`;
}

const get = <T>(path: string) => call<T>("GET", path);

/** A body that is a text already is JSON with ids in it. */
const post = <T>(path: string, body: object | string) =>
  call<T>("POST", path, typeof body === "string" ? body : JSON.stringify(body));

async function call<T>(method: string, path: string, body?: string): Promise<T> {
  const header = authorization();
  const headers: Record<string, string> = { accept: "application/json" };
  if (header !== null) headers["authorization"] = header;
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(path, { method, headers, ...(body === undefined ? {} : { body }) });
  } catch {
    throw new ApiError(0, "The workspace does not answer. Is it running?", null);
  }
  const text = await answer.text();
  if (!answer.ok) throw errorOf(answer, text);
  return readExactly(text) as T;
}

/** Reads JSON, with long ids as texts. Within a text a quote has a backslash
 *  before it, so only members are found. */
export function readExactly(text: string): unknown {
  return JSON.parse(text.replace(/"(\w*(?:_id|number_in_job))":\s*(-?\d{6,})(?=[,}\s])/g, '"$1":"$2"'));
}

function errorOf(answer: Response, text: string): ApiError {
  try {
    const problem = JSON.parse(text) as { message?: string; detail?: string; error_code?: string };
    const words = problem.message ?? problem.detail ?? answer.statusText;
    return new ApiError(answer.status, words, problem.error_code ?? null);
  } catch {
    return new ApiError(answer.status, answer.statusText || `status ${answer.status}`, null);
  }
}
