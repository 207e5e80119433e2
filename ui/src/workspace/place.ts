// Which page is shown: the address says it, so that every page can be shared,
// reloaded and gone back to.

import { useSyncExternalStore } from "react";

export type Place =
  | { page: "jobs" }
  | { page: "job"; job: string }
  | { page: "runs" }
  | { page: "run"; job: string; run: string }
  | { page: "tokens" }
  | { page: "unknown" };

/** Reads an address, the older form with a hash too. */
export function placeOf(path: string, hash: string): Place {
  const old = /^#job\/(\d+)(?:\/run\/(\d+))?/.exec(hash);
  if (old !== null) {
    return old[2] === undefined ? { page: "job", job: old[1]! } : { page: "run", job: old[1]!, run: old[2] };
  }
  const [first, id, second, run, more] = path.split("/").filter((part) => part !== "");
  if (first === undefined) return { page: "jobs" };
  if (more !== undefined) return { page: "unknown" };
  if (first === "jobs" && id === undefined) return { page: "jobs" };
  if (first === "jobs" && isId(id) && second === undefined) return { page: "job", job: id };
  if (first === "jobs" && isId(id) && second === "runs" && isId(run)) return { page: "run", job: id, run };
  if (first === "runs" && id === undefined) return { page: "runs" };
  if (first === "settings") return { page: "tokens" };
  return { page: "unknown" };
}

/** Writes the address of a place. */
export function addressOf(place: Place): string {
  switch (place.page) {
    case "job":
      return `/jobs/${place.job}`;
    case "run":
      return `/jobs/${place.job}/runs/${place.run}`;
    case "runs":
      return "/runs";
    case "tokens":
      return "/settings/tokens";
    default:
      return "/jobs";
  }
}

function isId(text: string | undefined): text is string {
  return text !== undefined && /^\d+$/.test(text);
}

const MOVED = "workspace-moved";

/** Goes to an address without loading the page anew. */
export function goTo(address: string): void {
  history.pushState(null, "", address);
  dispatchEvent(new Event(MOVED));
}

/** Returns where the reader is, and keeps it current. */
export function usePlace(): Place {
  const address = useSyncExternalStore(listen, () => location.pathname + location.hash);
  const at = address.indexOf("#");
  return at < 0 ? placeOf(address, "") : placeOf(address.slice(0, at), address.slice(at));
}

function listen(heard: () => void): () => void {
  const names = ["popstate", "hashchange", MOVED];
  names.forEach((name) => addEventListener(name, heard));
  return () => names.forEach((name) => removeEventListener(name, heard));
}
