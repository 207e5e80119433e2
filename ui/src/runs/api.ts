// Runs of flows, as the API tells them.

import { json, type Of } from "../api/client";
import type { FlowDocument } from "../flows/editor/document";
import type { FormSchema } from "./form";

export type Standing = Of<"RunStanding">;
export type OperationStatus = Of<"OperationStatus">;
export type Run = Of<"Run">;
export type Judged = Of<"Judged">;

/** What a filter said of a bundle, and what it looked at. */
export type Judgement = Of<"Judgement">;

/** An operation without its bundles. */
export type Outline = Of<"OperationOutline">;
export type Operation = Of<"Operation">;

/** Which way a bundle went between operations, and why. */
export type Choice = Of<"RunChoice">;
export type ModuleTotal = Of<"ModuleTotal">;

/** A run; its operations without their bundles, which are read one by one. */
export type RunWhole = Omit<Of<"RunWithOperations">, "operations"> & { operations: Outline[] };
export type RunsFound = Of<"RunsFound">;
export type ReplayOf = Of<"RunAgainOf">;
export type Again = Of<"RunAgain">;

const V1 = "/api/v1";
const part = encodeURIComponent;

export const findRuns = (query: URLSearchParams) => json<RunsFound>("GET", `${V1}/runs?${query.toString()}`);

/** Operations that one answer holds at most. */
const PAGE = 10_000;

type Head = Omit<RunWhole, "operations">;

/** Reads a run; whoever asks is told of it before its operations are all there. What is known of them is not asked for again: none of them changes, only more follow. */
export async function readRun(run: string, known: readonly Outline[] = [], onHead?: (head: Head) => void): Promise<RunWhole> {
  const begin = known.at(-1)?.number ?? 0;
  const asked = json<Head>("GET", `${V1}/runs/${part(run)}?operations=false`);
  const rest = asked.then((head) => {
    onHead?.(head);
    const begins = [];
    for (let after = begin + PAGE; after < head.operationCount; after += PAGE) begins.push(after);
    return Promise.all(begins.map((after) => readOutlines(run, after)));
  });
  const [head, first, more] = await Promise.all([asked, readOutlines(run, begin), rest]);
  let operations = [...known, ...first];
  // Pages that were asked for after the head are as new as it is, unless one before them was not full yet.
  const whole = more.length > 0 && [first, ...more].slice(0, -1).every((page) => page.length === PAGE);
  if (whole) return { ...head, operations: operations.concat(...more) };
  while (operations.length < head.operationCount) {
    const page = await readOutlines(run, operations.length);
    if (page.length === 0) break;
    operations = operations.concat(page);
  }
  return { ...head, operations };
}

const readOutlines = async (run: string, after: number): Promise<Outline[]> =>
  (await json<{ operations: Outline[] }>("GET", `${V1}/runs/${part(run)}/operations?light=true&limit=${PAGE}&after=${after}`)).operations;

export const readOperation = (run: string, number: number) => json<Operation>("GET", `${V1}/runs/${part(run)}/operations/${number}`);
/** All operations of a run with their bundles. */
export const readOperations = async (run: string) => (await json<{ operations: Operation[] }>("GET", `${V1}/runs/${part(run)}`)).operations;
export const cancelRun = (run: string) => json<void>("POST", `${V1}/runs/${part(run)}/cancel`);
export const decideRun = (run: string, decision: "repeat" | "abandon") =>
  json<void>("POST", `${V1}/runs/${part(run)}/decide`, { decision });
export const replayRun = (run: string, again: Again) => json<Of<"RunStarted">>("POST", `${V1}/runs/${part(run)}/replay`, again);

export type ManyStarted = Of<"RunsStarted">;
export const replayRuns = (which: { runs: string[] } | { where: Record<string, unknown> }, from: "start" | "failure", of: ReplayOf) =>
  json<ManyStarted>("POST", `${V1}/runs/replay`, { ...which, from, of });

export const readForm = (flow: string, of?: "draft" | "published") =>
  json<FormSchema>("GET", `${V1}/flows/${part(flow)}/form${of === undefined ? "" : `?of=${of}`}`);
export const startRun = (flow: string, given: { of?: "draft" | "published"; waiting?: boolean; input?: unknown }) => {
  const query = new URLSearchParams();
  if (given.of !== undefined) query.set("of", given.of);
  if (given.waiting === true) query.set("with", "waiting");
  return json<Of<"RunStarted">>("POST", `${V1}/flows/${part(flow)}/run?${query.toString()}`, given.input);
};

export type FlowBrief = Of<"Flow">;
export const listFlows = () => json<FlowBrief[]>("GET", `${V1}/flows`);
export const readFlow = (flow: string) => json<FlowBrief>("GET", `${V1}/flows/${part(flow)}`);
export type VersionBrief = Of<"FlowVersion">;
export const readBlueprint = (flow: string, of: string) =>
  json<FlowDocument>("GET", `${V1}/flows/${part(flow)}/blueprint?of=${part(of)}`);

export type Incomplete = Of<"Incomplete">;
export type RetryVersion = Of<"RetryVersion">;
const incompleteOf = (flow: string) => `${V1}/flows/${part(flow)}/incomplete`;
export const listIncomplete = (flow: string, open: boolean) =>
  json<Incomplete[]>("GET", `${incompleteOf(flow)}?limit=1000${open ? "&state=open" : ""}`);
export const readIncomplete = (flow: string, id: string) =>
  json<Of<"IncompleteWithBundles">>("GET", `${incompleteOf(flow)}/${part(id)}`);
export const retryIncomplete = (flow: string, id: string, version: RetryVersion) =>
  json<Of<"RunStarted">>("POST", `${incompleteOf(flow)}/${part(id)}/retry`, { version });
export const retryAllIncomplete = (flow: string, version: RetryVersion) =>
  json<Of<"IncompleteRetried">>("POST", `${incompleteOf(flow)}/retry`, { version });
export const resolveIncomplete = (flow: string, id: string) => json<unknown>("POST", `${incompleteOf(flow)}/${part(id)}/resolve`);
export const deleteIncomplete = (flow: string, id: string) => json<unknown>("DELETE", `${incompleteOf(flow)}/${part(id)}`);
