// Knowledge models, their triggers, and what the process looks like. The
// explorations have no schema in the API's description yet; when they have,
// the types here go.

import { json, send, type Of } from "../api/client";

export type Model = Of<"Model">;
export type TriggerState = Of<"TriggerState">;
export type Mistake = Of<"Mistake">;
export type ModelWithTexts = Model & { draft: string; publishedText?: string | null };

export interface State {
  version: number;
  state: string;
  reason?: string | null;
  now: string;
  evaluatedAt: string;
  commit: number;
  head: number;
  nextDeadline?: string | null;
  triggers: TriggerState[];
}

export interface Version {
  version: number;
  name?: string | null;
  publishedAt: string;
  publishedBy: string;
  current: boolean;
}

export interface Durations {
  count: number;
  min: number;
  median: number;
  p95: number;
  mean: number;
  max: number;
}

export interface Variants {
  cases: number;
  total: number;
  variants: { id: string; activities: string[]; cases: number; share: number; durations: Durations }[];
}

export interface Activities {
  cases: number;
  events: number;
  activities: { name: string; events: number; cases: number; reworkCases: number; sojourn: Durations | null }[];
}

export interface Throughput {
  width: number;
  bins: { from: number; to: number; cases: number }[];
  durations: Durations | null;
}

export interface Case {
  id: string;
  start: string;
  end: string;
  duration: number;
  events: number;
  lastActivity: string;
}

export interface CaseShown {
  id: string;
  duration: number;
  variantCases: number;
  cases: number;
  events: { activity: string; at: string; wait: number | null; values: Record<string, unknown> }[];
  instances: { trigger: string; identifier: string; matches: boolean; episode: number; since: string }[];
  signals: { at: string; trigger: string; event: string; offset: number; reason: string }[];
}

export interface Why {
  satisfies: boolean | null;
  now: string;
  filters: { id: string; pql: string; truth: boolean | null; comparisons: { pql: string; rows: { left: unknown; right: unknown; truth: boolean | null }[] }[] }[];
  standing: { state: string; since?: string; episode?: number } | null;
  next: { kind: string; at?: string };
  remarks: string[];
}

export interface Signal {
  at: string;
  identifier: string;
  key: string;
  reason: string;
}

const part = encodeURIComponent;
const at = (model: string, rest = "") => `/api/v1/models/${part(model)}${rest}`;
const of = (model: string, trigger: string, rest = "") => at(model, `/triggers/${part(trigger)}${rest}`);

export const models = {
  list: () => json<Model[]>("GET", "/api/v1/models"),
  show: (model: string) => json<ModelWithTexts>("GET", at(model)),
  save: async (model: string, text: string) => {
    await send("PUT", at(model), text, { "content-type": "application/yaml" });
  },
  check: (model: string) => json<{ mistakes: Mistake[]; notices: Mistake[] }>("POST", at(model, "/check")),
  preview: (model: string) => json<Of<"Preview">[]>("GET", at(model, "/preview")),
  notices: (model: string) => json<Mistake[]>("GET", at(model, "/notices")),
  state: (model: string) => json<State>("GET", at(model, "/state")),
  publish: (model: string) => json<{ version: number }>("POST", at(model, "/publish")),
  versions: (model: string) => json<Version[]>("GET", at(model, "/versions")),
  publishAgain: (model: string, version: number) => json<{ version: number }>("POST", at(model, `/versions/${version}/publish`)),
  difference: (model: string, from: string, to: string) =>
    json<{ objects: Of<"ObjectChange">[]; text: string }>("GET", at(model, `/versions/${from}/diff/${to}`)),
  variants: (model: string) => json<Variants>("GET", at(model, "/variants?limit=30")),
  activities: (model: string) => json<Activities>("GET", at(model, "/activities")),
  throughput: (model: string) => json<Throughput>("GET", at(model, "/throughput?bins=24")),
  cases: (model: string, variant: string | null) =>
    json<{ total: number; cases: Case[] }>("GET", at(model, `/cases?limit=100${variant === null ? "" : `&variant=${variant}`}`)),
  case: (model: string, id: string) => json<CaseShown>("GET", at(model, `/cases/${part(id)}`)),
};

export const triggers = {
  show: (model: string, trigger: string) => json<TriggerState>("GET", of(model, trigger)),
  matched: (model: string, trigger: string) =>
    json<{ identifier: string; since: string; episode: number }[]>("GET", of(model, trigger, "/matched")),
  shadows: (model: string, trigger: string) => json<Signal[]>("GET", of(model, trigger, "/shadows")),
  held: (model: string, trigger: string) =>
    json<{ total: number; reason: string; sendsAt?: string | null; signals: Signal[] }>("GET", of(model, trigger, "/held")),
  release: (model: string, trigger: string) => json<unknown>("POST", of(model, trigger, "/held/release"), {}),
  drop: (model: string, trigger: string) => json<unknown>("POST", of(model, trigger, "/held/drop"), {}),
  why: (model: string, trigger: string, identifier: string) => json<Why>("GET", of(model, trigger, `/why/${part(identifier)}`)),
  events: (model: string, trigger: string, after: number, limit: number) =>
    json<Of<"Tail">>("GET", `/api/v1/triggers/${part(model)}/${part(trigger)}/events?after=${after}&limit=${limit}`),
  /** The newest events: where the log ends is asked first. */
  async latest(model: string, trigger: string, count: number): Promise<Of<"Tail">> {
    const { head } = await triggers.events(model, trigger, 0, 1);
    return triggers.events(model, trigger, Math.max(0, head - count), count);
  },
};
