// Which runs are looked for: as the address says it, and as the API is asked.

import { STANDINGS, STARTS } from "./words";

export interface Facets {
  flow: string;
  statuses: string[];
  startedBy: string;
  since: string;
  text: string;
}

/** How far back one can look with one choice. */
export const SINCE: { id: string; name: string; ms: number }[] = [
  { id: "1h", name: "Last hour", ms: 3_600_000 },
  { id: "1d", name: "Last day", ms: 86_400_000 },
  { id: "7d", name: "Last 7 days", ms: 7 * 86_400_000 },
  { id: "30d", name: "Last 30 days", ms: 30 * 86_400_000 },
];

/** Reads an address; what is not known is left out rather than refused. */
export function facetsOf(search: string): Facets {
  const query = new URLSearchParams(search);
  const statuses = (query.get("status") ?? "").split(",").filter((word) => (STANDINGS as string[]).includes(word));
  const startedBy = query.get("startedBy") ?? "";
  const since = query.get("since") ?? "";
  return {
    flow: query.get("flow") ?? "",
    statuses,
    startedBy: STARTS.includes(startedBy) ? startedBy : "",
    since: SINCE.some(({ id }) => id === since) ? since : "",
    text: query.get("text") ?? "",
  };
}

/** What the API is asked for, at an instant. */
export function askedFor(facets: Facets, now: number): Record<string, string> {
  const asked: Record<string, string> = {};
  if (facets.flow !== "") asked["flow"] = facets.flow;
  if (facets.statuses.length > 0) asked["status"] = facets.statuses.join(",");
  if (facets.startedBy !== "") asked["startedBy"] = facets.startedBy;
  if (facets.text.trim() !== "") asked["text"] = facets.text.trim();
  const reach = SINCE.find(({ id }) => id === facets.since);
  if (reach !== undefined) asked["from"] = new Date(now - reach.ms).toISOString();
  return asked;
}

/** Adds a status, or takes it away. */
export function toggled(statuses: string[], status: string): string {
  const next = statuses.includes(status) ? statuses.filter((one) => one !== status) : [...statuses, status];
  return STANDINGS.filter((word) => next.includes(word)).join(",");
}
