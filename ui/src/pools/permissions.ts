// The rights on a pool as a grid: who stands in the rows, rights in the columns.

import type { AppKey, Grant } from "./api";

export interface Right {
  id: string;
  name: string;
  meaning: string;
}

/** The rights on a pool, in the words of its Permissions page. */
export const RIGHTS: Right[] = [
  { id: "use-pool", name: "USE", meaning: "See the pool, its tables and jobs; ask in SQL." },
  { id: "admin-pool", name: "ADMIN", meaning: "Everything, and give rights to others." },
  { id: "data-push", name: "DATA PUSH API", meaning: "Make push jobs, upload chunks, execute them." },
  { id: "continuous-data-push", name: "CONTINUOUS DATA PUSH API", meaning: "Push Parquet files without a job of their own." },
];

/** Rights that are not about one pool. */
export const TEAM_RIGHTS: Right[] = [
  { id: "use-package", name: "See flows and models", meaning: "Flows, their runs and tasks, knowledge models and their cases." },
  { id: "run-flows", name: "Run flows", meaning: "Start published flows by their form, and answer tasks." },
  { id: "edit-package", name: "Change flows and models", meaning: "Change, publish and activate; includes the two above." },
  { id: "manage-subscriptions", name: "Manage subscriptions", meaning: "Subscribe webhooks to the triggers of models." },
  { id: "manage-connections", name: "Manage connections", meaning: "Make and change connections, with their secrets." },
  { id: "create-pool", name: "Make pools", meaning: "And do everything with the pools that it made." },
  { id: "create-package", name: "Make packages", meaning: "For knowledge models and flows." },
  { id: "read-audit", name: "Read the audit trail", meaning: "Who changed what, and when." },
];

export interface GridRow {
  subject: string;
  name: string;
  /** Administrators may do everything and need no ticks. */
  administrator: boolean;
  held: Set<string>;
}

/** Lays the grants on a pool out as a grid: every key that is not revoked, and whoever else has a grant. */
export function gridOf(keys: AppKey[], grants: Grant[]): GridRow[] {
  const rows = new Map<string, GridRow>();
  for (const { id, name, administrator, revokedAt } of keys) {
    if (revokedAt === null) rows.set(id, { subject: id, name, administrator, held: new Set() });
  }
  const revoked = new Set(keys.filter((key) => key.revokedAt !== null).map((key) => key.id));
  for (const { subject, permission } of grants) {
    if (revoked.has(subject)) continue;
    const row = rows.get(subject) ?? { subject, name: subject, administrator: false, held: new Set<string>() };
    row.held.add(permission);
    rows.set(subject, row);
  }
  return [...rows.values()];
}

/** Says what a tick means for the server: to give or to take. */
export function changeOf(row: GridRow, right: string): "give" | "take" {
  return row.held.has(right) ? "take" : "give";
}

/** Says a change in one sentence. */
export function changeInWords(row: GridRow, right: string): string {
  const name = RIGHTS.find(({ id }) => id === right)?.name ?? right;
  return changeOf(row, right) === "give" ? `"${row.name}" now has ${name}` : `"${row.name}" no longer has ${name}`;
}
