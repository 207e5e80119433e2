// Subscriptions, as both of the API's surfaces tell them.

import { json, type Of } from "../api/client";

export type Listed = Of<"Subscription">;
export type Details = Of<"SubscriptionDetails">;
export type Delivery = Of<"Delivery">;

const OLD = "/intelligence/api";
const at = (id: string, rest = "") => `/api/v1/subscriptions/${id}${rest}`;
const old = (id: string, rest = "") => `${OLD}/subscriptions/${id}${rest}`;

export interface Definition {
  name: string;
  callbackInfo: { uri: string; protocol: "HTTPS"; headers?: Record<string, string> };
  configurations: "SKIP_ERRORS"[];
}

export const subscriptions = {
  list: () => json<Of<"Page_Subscription">>("GET", `${OLD}/subscriptions?pageSize=200`),
  shown: (id: string) => json<Listed>("GET", old(id)),
  details: (id: string) => json<Details>("GET", at(id)),
  deliveries: (id: string, page: number, verdict: string | null) =>
    json<Of<"Deliveries">>("GET", at(id, `/deliveries?pageSize=50&page=${page}${verdict === null ? "" : `&verdict=${verdict}`}`)),
  create: (model: string, trigger: string, definition: Definition) =>
    json<Of<"Created">>(
      "POST",
      `${OLD}/knowledge-models/${encodeURIComponent(model)}/triggers/${encodeURIComponent(trigger)}/subscriptions`,
      definition,
    ),
  update: (id: string, definition: Definition) => json<void>("PUT", old(id), definition),
  pause: (id: string) => json<void>("PATCH", old(id, "/pause")),
  resume: (id: string) => json<void>("PATCH", old(id, "/resume")),
  resumeFromLatest: (id: string) => json<void>("PATCH", old(id, "/resume-from-latest")),
  replay: (id: string, offset: number) => json<void>("PATCH", old(id, `/replay?fromOffset=${offset}`)),
  skip: (id: string) => json<Details>("POST", at(id, "/skip")),
  secret: (id: string) => json<Of<"SecretShown">>("GET", at(id, "/secret")),
  rotate: (id: string, overlapHours: number) => json<Of<"SecretShown">>("POST", at(id, "/secret/rotate"), { overlapHours }),
  remove: (id: string) => json<void>("DELETE", old(id)),
};
