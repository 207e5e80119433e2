// Connections as the API shows them: never with their secrets.

import { json, type Of } from "../api/client";

export type Connection = Of<"Connection">;

/** A module that names a connection. */
export type Use = Of<"ConnectionUse">;

/** What came of a call that does no harm. */
export type Tested = Of<"ConnectionTrial">;

/** A call to a workspace that was made with a connection. */
export type Call = Of<"DatabricksCall">;

const V1 = "/api/v1/connections";
const at = (name: string) => `${V1}/${encodeURIComponent(name)}`;

export const connections = {
  list: () => json<Connection[]>("GET", V1),
  show: (name: string) => json<Of<"ConnectionWithUses">>("GET", at(name)),
  put: (name: string, settings: Record<string, unknown>) => json<void>("PUT", at(name), settings),
  remove: (name: string) => json<void>("DELETE", at(name)),
  test: (name: string, url?: string) => json<Tested>("POST", `${at(name)}/test`, url === undefined || url === "" ? undefined : { url }),
  calls: (name: string) => json<Call[]>("GET", `${at(name)}/calls?limit=50`),
};
