// What the API says of flows. Until its description tells these bodies they are
// written down here, and nowhere else.

import { ApiError, json, send } from "../api/client";
import { authorization } from "../session";
import type { FlowDocument } from "./editor/document";
import type { Notice, Theirs } from "./editor/store";
import type { JsonSchema, ModuleKind, Sample } from "./editor/types";
import { readJson, writeJson } from "../api/exact";

/** A flow in the list. */
export interface FlowShown {
  key: string;
  name: string;
  package?: string;
  state: "inactive" | "active" | "paused" | "switched-off" | string;
  version: number | null;
  draftAhead: boolean;
  hook: string | null;
  waiting: number;
  nextAt: string | null;
  updatedAt: string;
  paused?: string;
  switchedOff?: string;
}

export interface FlowWithTexts extends FlowShown {
  draft: string;
  published: string | null;
  notices: Notice[];
}

/** The document of a flow, as it stands under a revision. */
export interface DocumentShown {
  revision: string;
  document: FlowDocument;
  changedBy: string | null;
  changedAt: string | null;
  format: string;
}

export interface RunShown {
  id: string;
  flow: string;
  status: string;
  startedAt: string;
}

export interface VersionShown {
  version: number;
  publishedAt: string;
  publishedBy: string;
  note: string | null;
  ofVersion: number | null;
  current: boolean;
}

export interface FieldChange {
  field: string;
  before: string | null;
  after: string | null;
}

export interface ModuleChange {
  module: number;
  kind: string;
  label?: string;
  change: "added" | "removed" | "moved" | "changed";
  place: string;
  placeBefore?: string;
  place_before?: string;
  fields: FieldChange[];
}

export interface Difference {
  settings: FieldChange[];
  modules: ModuleChange[];
  text: string;
}

/** A secret that stands in the text of a flow. */
export interface Literal {
  module: number;
  field: string;
  what: string;
  shown: string;
}

export interface Imported {
  dryRun: boolean;
  flows: ImportedFlow[];
}

export interface ImportedFlow {
  key: string;
  name: string;
  modules: number;
  unknownModules: string[];
  replaces: boolean;
  notices: Notice[];
  unmapped: string[];
  secrets: Literal[];
}

export interface TemplateShown {
  key: string;
  title: string;
  description: string;
  form: JsonSchema;
}

const flowAt = (flow: string) => `/api/v1/flows/${encodeURIComponent(flow)}`;

export const listFlows = () => json<FlowShown[]>("GET", "/api/v1/flows");
export const readFlow = (flow: string) => json<FlowWithTexts>("GET", flowAt(flow));
/** Modules of the original that are called alike are told apart by the word that it puts behind them. */
const named = (kind: ModuleKind): ModuleKind =>
  kind.name.endsWith("Advanced") && !/advanced/i.test(kind.label) ? { ...kind, label: `${kind.label} (advanced)` } : kind;

export const listModules = async () => (await json<ModuleKind[]>("GET", "/api/v1/modules")).map(named);
export const listTemplates = () => json<TemplateShown[]>("GET", "/api/v1/flow-templates");
export const listPackages = () => json<{ key: string; name: string }[]>("GET", "/api/v1/packages");

export const readDocument = (flow: string, of = "draft") => json<DocumentShown>("GET", `${flowAt(flow)}/document?of=${of}`);
export const readSamples = async (flow: string): Promise<Record<number, Sample>> =>
  (await json<{ modules: Record<number, Sample> }>("GET", `${flowAt(flow)}/samples`)).modules;

export const lastRuns = async (): Promise<RunShown[]> => (await json<{ runs: RunShown[] }>("GET", "/api/v1/runs?limit=200")).runs;

/** Somebody else has stored another document. */
export class FlowChanged extends Error {
  constructor(readonly theirs: Theirs) {
    super("Somebody else changed this flow meanwhile.");
  }
}

/** Stores a document over the revision that it was made of; null for a flow that is not there yet. */
export async function storeDocument(
  flow: string,
  document: FlowDocument,
  revision: string | null,
): Promise<{ revision: string; notices: Notice[] }> {
  const headers = new Headers({ accept: "application/json", "content-type": "application/json" });
  const signed = authorization();
  if (signed !== null) headers.set("authorization", signed);
  if (revision === null) headers.set("if-none-match", "*");
  else headers.set("if-match", `"${revision}"`);
  let response: Response;
  try {
    response = await fetch(`${flowAt(flow)}/document`, { method: "PUT", headers, body: writeJson(document) });
  } catch {
    throw new ApiError(0, "The server does not answer. What you changed is kept here.", null);
  }
  const body = (await response.text().then(readJson).catch(() => ({}))) as Record<string, unknown>;
  if (response.ok) return body as { revision: string; notices: Notice[] };
  if (response.status === 409 && body["theirs"] !== undefined) throw new FlowChanged(body["theirs"] as Theirs);
  const detail = typeof body["detail"] === "string" ? body["detail"] : response.statusText;
  throw new ApiError(response.status, detail, typeof body["code"] === "string" ? body["code"] : null);
}

export const publishFlow = (flow: string, note: string) =>
  json<{ version: number }>("POST", `${flowAt(flow)}/publish`, note === "" ? {} : { note });
export const publishPackage = (name: string, note: string) =>
  json<{ version: number }>("POST", `/api/v1/packages/${encodeURIComponent(name)}/publish`, note === "" ? {} : { note });

export const activate = (flow: string) => json<{ notices: Notice[] }>("POST", `${flowAt(flow)}/activate`);
export const deactivate = (flow: string) => json<void>("POST", `${flowAt(flow)}/deactivate`);

export const listVersions = (flow: string) => json<VersionShown[]>("GET", `${flowAt(flow)}/versions`);
export const readDifference = (flow: string, from: string, to: string) =>
  json<Difference>("GET", `${flowAt(flow)}/versions/${from}/diff/${to}`);
export const rollBack = (flow: string, version: number, note: string) =>
  json<{ version: number }>("POST", `${flowAt(flow)}/versions/${version}/publish`, note === "" ? {} : { note });

export const readBlueprint = async (flow: string, format: "json" | "yaml", of = "draft"): Promise<string> =>
  (await send("GET", `${flowAt(flow)}/blueprint?format=${format}&of=${of}`)).text();

export const findSecrets = (flow: string) => json<Literal[]>("GET", `${flowAt(flow)}/secrets`);
export const moveSecrets = (flow: string, connection: string) =>
  json<{ connections: { connection: string }[]; left: Literal[]; keptInHistory: boolean }>("POST", `${flowAt(flow)}/secrets`, { connection });

export async function importFlows(file: Blob, options: { key?: string; package?: string; dryRun: boolean }): Promise<Imported> {
  const query = new URLSearchParams({ dryRun: String(options.dryRun) });
  if (options.key) query.set("key", options.key);
  if (options.package) query.set("package", options.package);
  const response = await send("POST", `/api/v1/flow-imports?${query}`, file, { "content-type": "application/octet-stream" });
  return (await response.json()) as Imported;
}

export const fromTemplate = (template: string, key: string, parameters: Record<string, unknown>) =>
  json<{ key: string }>("POST", `/api/v1/flow-templates/${encodeURIComponent(template)}`, { key, parameters });

export const putIntoPackage = (name: string, flow: string) =>
  json<void>("PUT", `/api/v1/packages/${encodeURIComponent(name)}/flows/${encodeURIComponent(flow)}`);
