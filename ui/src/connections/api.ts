// Connections as the API shows them: never with their secrets.

import { json } from "../api/client";

export interface Connection {
  name: string;
  kind: string;
  origin: string | null;
  expiresAt: string | null;
  importedIds?: string[];
  updatedAt: string;
  /** It is always there, and holds nothing that somebody typed in. */
  builtIn?: boolean;
  /** It has ended, or soon will. */
  warning?: string;
}

/** A module that names a connection. */
export interface Use {
  flow: string;
  module: number;
  /** In the published version, and not only in the draft. */
  published: boolean;
}

/** What came of a call that does no harm. */
export interface Tested {
  ok: boolean;
  called: string;
  status: number | null;
  said: string;
  mend: string | null;
  tookMs: number;
}

/** A call to a workspace that was made with a connection. */
export interface Call {
  id: string;
  at: string;
  who: string;
  flow: string | null;
  run: string | null;
  operation: string;
  method: string;
  path: string;
  status: number | null;
  errorCode: string | null;
  tookMs?: number;
}

const V1 = "/api/v1/connections";
const at = (name: string) => `${V1}/${encodeURIComponent(name)}`;

export const connections = {
  list: () => json<Connection[]>("GET", V1),
  show: (name: string) => json<Connection & { uses: Use[] }>("GET", at(name)),
  put: (name: string, settings: Record<string, unknown>) => json<void>("PUT", at(name), settings),
  remove: (name: string) => json<void>("DELETE", at(name)),
  test: (name: string, url?: string) => json<Tested>("POST", `${at(name)}/test`, url === undefined || url === "" ? undefined : { url }),
  calls: (name: string) => json<Call[]>("GET", `${at(name)}/calls?limit=50`),
};
