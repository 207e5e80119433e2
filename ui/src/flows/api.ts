// What the API says of flows.

import { ApiError, json, send, type Of } from "../api/client";
import { authorization } from "../session";
import type { FlowDocument } from "./editor/document";
import type { Notice, Theirs } from "./editor/store";
import type { JsonSchema, ModuleKind, Sample } from "./editor/types";
import { readJson, writeJson } from "../api/exact";

/** A flow in the list. */
export type FlowShown = Of<"Flow">;
export type FlowWithTexts = Of<"FlowWithTexts">;

/** The document of a flow, as it stands under a revision. */
export type DocumentShown = Omit<Of<"FlowDocument">, "document"> & { document: FlowDocument };
export type RunShown = Of<"Run">;
export type VersionShown = Of<"FlowVersion">;
export type FieldChange = Of<"FieldChange">;
export type ModuleChange = Of<"ModuleChange">;
export type Difference = Of<"FlowDifference">;

/** A secret that stands in the text of a flow. */
export type Literal = Of<"SecretInText">;
export type Imported = Of<"FlowsImported">;
export type ImportedFlow = Of<"ImportedFlow">;
export type TemplateShown = Omit<Of<"FlowTemplate">, "form"> & { form: JsonSchema };

const flowAt = (flow: string) => `/api/v1/flows/${encodeURIComponent(flow)}`;

export const listFlows = () => json<FlowShown[]>("GET", "/api/v1/flows");
export const readFlow = (flow: string) => json<FlowWithTexts>("GET", flowAt(flow));
/** Modules of the original that are called alike are told apart by the word that it puts behind them. */
const named = (kind: ModuleKind): ModuleKind =>
  kind.name.endsWith("Advanced") && !/advanced/i.test(kind.label) ? { ...kind, label: `${kind.label} (advanced)` } : kind;

export const listModules = async () => (await json<ModuleKind[]>("GET", "/api/v1/modules")).map(named);
export const listTemplates = () => json<TemplateShown[]>("GET", "/api/v1/flow-templates");
export const listPackages = () => json<Of<"Package">[]>("GET", "/api/v1/packages");

export const readDocument = (flow: string, of = "draft") => json<DocumentShown>("GET", `${flowAt(flow)}/document?of=${of}`);
export const readSamples = async (flow: string): Promise<Record<number, Sample>> =>
  (await json<{ modules: Record<number, Sample> }>("GET", `${flowAt(flow)}/samples`)).modules;

export const lastRuns = async (): Promise<RunShown[]> => (await json<Of<"RunsFound">>("GET", "/api/v1/runs?limit=200")).runs;

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
  json<Of<"FlowPublished">>("POST", `${flowAt(flow)}/publish`, note === "" ? {} : { note });
export const publishPackage = (name: string, note: string) =>
  json<Of<"PackageVersion">>("POST", `/api/v1/packages/${encodeURIComponent(name)}/publish`, note === "" ? {} : { note });

export const activate = (flow: string) => json<Of<"FlowTold">>("POST", `${flowAt(flow)}/activate`);
export const deactivate = (flow: string) => json<void>("POST", `${flowAt(flow)}/deactivate`);

export const listVersions = (flow: string) => json<VersionShown[]>("GET", `${flowAt(flow)}/versions`);
export const readDifference = (flow: string, from: string, to: string) =>
  json<Difference>("GET", `${flowAt(flow)}/versions/${from}/diff/${to}`);
export const rollBack = (flow: string, version: number, note: string) =>
  json<Of<"FlowRolledBack">>("POST", `${flowAt(flow)}/versions/${version}/publish`, note === "" ? {} : { note });

export const readBlueprint = async (flow: string, format: "json" | "yaml", of = "draft"): Promise<string> =>
  (await send("GET", `${flowAt(flow)}/blueprint?format=${format}&of=${of}`)).text();

export const findSecrets = (flow: string) => json<Literal[]>("GET", `${flowAt(flow)}/secrets`);
export const moveSecrets = (flow: string, connection: string) =>
  json<Of<"MovedSecrets">>("POST", `${flowAt(flow)}/secrets`, { connection });

export async function importFlows(file: Blob, options: { key?: string; package?: string; dryRun: boolean }): Promise<Imported> {
  const query = new URLSearchParams({ dryRun: String(options.dryRun) });
  if (options.key) query.set("key", options.key);
  if (options.package) query.set("package", options.package);
  const response = await send("POST", `/api/v1/flow-imports?${query}`, file, { "content-type": "application/octet-stream" });
  return (await response.json()) as Imported;
}

export const fromTemplate = (template: string, key: string, parameters: Record<string, unknown>) =>
  json<Of<"FlowFromTemplate">>("POST", `/api/v1/flow-templates/${encodeURIComponent(template)}`, { key, parameters });

export const putIntoPackage = (name: string, flow: string) =>
  json<void>("PUT", `/api/v1/packages/${encodeURIComponent(name)}/flows/${encodeURIComponent(flow)}`);
