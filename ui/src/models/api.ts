// Knowledge models, their triggers, and what the process looks like.

import { json, send, type Of } from "../api/client";
import type { FlowOutcomes, TriggerEpisode, TriggerOutcomes } from "./outcomes";

export type Model = Of<"Model">;
export type TriggerState = Of<"TriggerState">;
export type Mistake = Of<"Mistake">;
export type ModelWithTexts = Of<"ModelDetails">;
export type State = Of<"ModelStanding">;
export type Version = Of<"Version">;
export type Durations = Of<"Durations">;
export type Variants = Of<"Variants">;
export type Activities = Of<"Activities">;
export type Throughput = Of<"Throughput">;
export type Case = Of<"Case">;
export type CaseShown = Of<"CaseShown">;
export type CaseAction = Of<"CaseAction">;
export type Why = Of<"Why">;
export type Signal = Of<"SignalShown">;

const part = encodeURIComponent;
const at = (model: string, rest = "") => `/api/v1/models/${part(model)}${rest}`;
const of = (model: string, trigger: string, rest = "") => at(model, `/triggers/${part(trigger)}${rest}`);

export const models = {
  list: () => json<Model[]>("GET", "/api/v1/models"),
  show: (model: string) => json<ModelWithTexts>("GET", at(model)),
  save: async (model: string, text: string) => {
    await send("PUT", at(model), text, { "content-type": "application/yaml" });
  },
  check: (model: string) => json<Of<"Findings">>("POST", at(model, "/check")),
  preview: (model: string) => json<Of<"Preview">[]>("GET", at(model, "/preview")),
  notices: (model: string) => json<Mistake[]>("GET", at(model, "/notices")),
  state: (model: string) => json<State>("GET", at(model, "/state")),
  publish: (model: string) => json<Of<"Published">>("POST", at(model, "/publish")),
  versions: (model: string) => json<Version[]>("GET", at(model, "/versions")),
  publishAgain: (model: string, version: number) => json<Of<"Published">>("POST", at(model, `/versions/${version}/publish`)),
  difference: (model: string, from: string, to: string) =>
    json<Of<"Difference">>("GET", at(model, `/versions/${from}/diff/${to}`)),
  variants: (model: string) => json<Variants>("GET", at(model, "/variants?limit=30")),
  activities: (model: string) => json<Activities>("GET", at(model, "/activities")),
  throughput: (model: string) => json<Throughput>("GET", at(model, "/throughput?bins=24")),
  cases: (model: string, variant: string | null) =>
    json<Of<"Cases">>("GET", at(model, `/cases?limit=100${variant === null ? "" : `&variant=${variant}`}`)),
  case: (model: string, id: string) => json<CaseShown>("GET", at(model, `/cases/${part(id)}`)),
};

export const triggers = {
  show: (model: string, trigger: string) => json<TriggerState>("GET", of(model, trigger)),
  matched: (model: string, trigger: string) =>
    json<Of<"MatchedInstance">[]>("GET", of(model, trigger, "/matched")),
  shadows: (model: string, trigger: string) => json<Signal[]>("GET", of(model, trigger, "/shadows")),
  held: (model: string, trigger: string) =>
    json<Of<"HeldPage">>("GET", of(model, trigger, "/held")),
  release: (model: string, trigger: string) => json<Of<"Settled">>("POST", of(model, trigger, "/held/release"), {}),
  drop: (model: string, trigger: string) => json<Of<"Settled">>("POST", of(model, trigger, "/held/drop"), {}),
  outcomes: (model: string, trigger: string) => json<TriggerOutcomes>("GET", of(model, trigger, "/outcomes")),
  episodes: (model: string, trigger: string, limit: number) => json<TriggerEpisode[]>("GET", of(model, trigger, `/episodes?limit=${limit}`)),
  why: (model: string, trigger: string, identifier: string) => json<Why>("GET", of(model, trigger, `/why/${part(identifier)}`)),
  events: (model: string, trigger: string, after: number, limit: number) =>
    json<Of<"Tail">>("GET", `/api/v1/triggers/${part(model)}/${part(trigger)}/events?after=${after}&limit=${limit}`),
  /** The newest events: where the log ends is asked first. */
  async latest(model: string, trigger: string, count: number): Promise<Of<"Tail">> {
    const { head } = await triggers.events(model, trigger, 0, 1);
    return triggers.events(model, trigger, Math.max(0, head - count), count);
  },
};

/** What became of the cases on which a flow could act, for each trigger that it listens to. */
export const readFlowOutcomes = (flow: string) => json<FlowOutcomes>("GET", `/api/v1/flows/${part(flow)}/outcomes`);
