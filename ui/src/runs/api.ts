// Runs of flows, as the API tells them. Their types stand here until the API's
// description names them.

import { json } from "../api/client";
import type { FlowDocument } from "../flows/editor/document";
import type { FormSchema } from "./form";

export type Standing = "running" | "sleeping" | "held" | "success" | "warning" | "error" | "cancelled";
export type OperationStatus = "success" | "warning" | "error" | "filtered";

export interface Run {
  id: string;
  flow: string;
  /** Hash of the version that it runs. */
  version: string;
  startedBy: string;
  status: Standing;
  state: "live" | "ended" | "in-doubt" | "parked";
  reason: string | null;
  startedAt: string;
  endedAt: string | null;
  durationMs: number | null;
  wakesAt: string | null;
  operationCount: number;
}

export interface Judged {
  left?: unknown;
  operator: string;
  right?: unknown;
  holds: boolean;
}

/** What a filter said of a bundle, and what it looked at. */
export interface Judgement {
  name?: string;
  passes: boolean;
  any: Judged[][];
}

/** An operation without its bundles. */
export interface Outline {
  number: number;
  module: number;
  kind?: string;
  path: string;
  status: OperationStatus;
  statusCode: number | null;
  startedAt: string;
  endedAt: string;
}

export interface Operation extends Outline {
  kind: string;
  input: unknown;
  output: unknown[];
  detail: string | null;
  filter?: Judgement;
}

/** Which way a bundle went between operations, and why. */
export interface Choice {
  after: number;
  module: number;
  path: string;
  way?: number;
  leadsTo?: number;
  taken: boolean;
  reason?: string;
  filter?: Judgement;
}

export interface ModuleTotal {
  module: number;
  kind: string;
  operations: number;
  bundles: number;
  filtered: number;
  warnings: number;
  errors: number;
  durationMs: number;
}

export interface RunWhole extends Run {
  input: unknown[];
  causes?: string[];
  modules: ModuleTotal[];
  /** Without their bundles; those are read one by one. */
  operations: Outline[];
  choices?: Choice[];
  inFlight?: { module: number; path: string; since: string; attempt: number };
  late?: Operation;
  note?: string;
}

export interface RunsFound {
  runs: Run[];
  next: string | null;
}

export type ReplayOf = "its-version" | "current" | "draft" | "published";

export interface Again {
  of: ReplayOf;
  from: "start" | "failure" | number;
  input?: unknown;
  bundles?: Record<string, unknown>;
}

const V1 = "/api/v1";
const part = encodeURIComponent;

export const findRuns = (query: URLSearchParams) => json<RunsFound>("GET", `${V1}/runs?${query.toString()}`);

/** Reads a run. What is known of its operations is not asked for again: none of them changes, only more follow. */
export async function readRun(run: string, known: readonly Outline[] = []): Promise<RunWhole> {
  const [head, outlines] = await Promise.all([json<RunWhole>("GET", `${V1}/runs/${part(run)}?operations=false`), readOutlines(run, known)]);
  // The head may be newer than the list that was read beside it.
  const operations = head.operationCount > outlines.length ? await readOutlines(run, outlines) : outlines;
  return { ...head, operations };
}

async function readOutlines(run: string, known: readonly Outline[]): Promise<Outline[]> {
  let all = [...known];
  for (;;) {
    const after = all.at(-1)?.number ?? 0;
    const page = await json<{ operations: Outline[]; next: number | null }>("GET", `${V1}/runs/${part(run)}/operations?light=true&limit=10000&after=${after}`);
    all = all.concat(page.operations);
    if (page.next === null) return all;
  }
}

export const readOperation = (run: string, number: number) => json<Operation>("GET", `${V1}/runs/${part(run)}/operations/${number}`);
/** All operations of a run with their bundles. */
export const readOperations = async (run: string) => (await json<{ operations: Operation[] }>("GET", `${V1}/runs/${part(run)}`)).operations;
export const cancelRun = (run: string) => json<void>("POST", `${V1}/runs/${part(run)}/cancel`);
export const decideRun = (run: string, decision: "repeat" | "abandon") =>
  json<void>("POST", `${V1}/runs/${part(run)}/decide`, { decision });
export const replayRun = (run: string, again: Again) => json<{ id: string }>("POST", `${V1}/runs/${part(run)}/replay`, again);

export interface ManyStarted {
  started: { run: string; id: string }[];
  refused: { run: string; code: string; detail: string }[];
  next: string | null;
}
export const replayRuns = (which: { runs: string[] } | { where: Record<string, unknown> }, from: "start" | "failure", of: ReplayOf) =>
  json<ManyStarted>("POST", `${V1}/runs/replay`, { ...which, from, of });

export const readForm = (flow: string, of?: "draft" | "published") =>
  json<FormSchema>("GET", `${V1}/flows/${part(flow)}/form${of === undefined ? "" : `?of=${of}`}`);
export const startRun = (flow: string, given: { of?: "draft" | "published"; waiting?: boolean; input?: unknown }) => {
  const query = new URLSearchParams();
  if (given.of !== undefined) query.set("of", given.of);
  if (given.waiting === true) query.set("with", "waiting");
  return json<{ id: string }>("POST", `${V1}/flows/${part(flow)}/run?${query.toString()}`, given.input);
};

export interface FlowBrief {
  key: string;
  name: string;
  state: string;
  version: number | null;
  hook?: string | null;
  waiting: number;
}
export const listFlows = () => json<FlowBrief[]>("GET", `${V1}/flows`);
export const readFlow = (flow: string) => json<FlowBrief>("GET", `${V1}/flows/${part(flow)}`);
export interface VersionBrief {
  number: number;
  hash?: string;
  version?: string;
}
export const readBlueprint = (flow: string, of: string) =>
  json<FlowDocument>("GET", `${V1}/flows/${part(flow)}/blueprint?of=${part(of)}`);

export interface Incomplete {
  id: string;
  flow: string;
  run: string;
  version: string;
  module: number;
  class: string;
  reason: string;
  state: string;
  attempts: number;
  retryAt: string | null;
  retryRun: string | null;
  size: number;
  createdAt: string;
  updatedAt: string;
}
export type RetryVersion = "same" | "published" | "draft";
const incompleteOf = (flow: string) => `${V1}/flows/${part(flow)}/incomplete`;
export const listIncomplete = (flow: string, open: boolean) =>
  json<Incomplete[]>("GET", `${incompleteOf(flow)}?limit=1000${open ? "&state=open" : ""}`);
export const readIncomplete = (flow: string, id: string) =>
  json<Incomplete & { bundles: Record<string, unknown> }>("GET", `${incompleteOf(flow)}/${part(id)}`);
export const retryIncomplete = (flow: string, id: string, version: RetryVersion) =>
  json<unknown>("POST", `${incompleteOf(flow)}/${part(id)}/retry`, { version });
export const retryAllIncomplete = (flow: string, version: RetryVersion) =>
  json<unknown>("POST", `${incompleteOf(flow)}/retry`, { version });
export const resolveIncomplete = (flow: string, id: string) => json<unknown>("POST", `${incompleteOf(flow)}/${part(id)}/resolve`);
export const deleteIncomplete = (flow: string, id: string) => json<unknown>("DELETE", `${incompleteOf(flow)}/${part(id)}`);
