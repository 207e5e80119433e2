// Samples that a person pasted, because a module has not run yet. They stay in
// this browser: a flow is not the place for them, nor is the server.

import { create } from "zustand";

import { readJson, writeJson } from "../../../api/exact";

export interface Pasted {
  bundle: unknown;
  at: string;
}

const PLACE = "loopwright.samples.";

/** By flow, and in there by the module's id. */
export const usePasted = create<Record<string, Record<number, Pasted>>>(() => ({}));

/** What was pasted for a flow. */
export function pastedOf(flow: string): Record<number, Pasted> {
  const known = usePasted.getState()[flow];
  if (known !== undefined) return known;
  let kept: Record<number, Pasted> = {};
  try {
    kept = readJson(localStorage.getItem(PLACE + flow) ?? "{}") as Record<number, Pasted>;
  } catch {
    // A browser that keeps nothing, or something else under this name.
  }
  return kept;
}

/** Keeps a sample of a module; null takes it away. */
export function keepPasted(flow: string, module: number, pasted: Pasted | null): void {
  const next = { ...pastedOf(flow) };
  if (pasted === null) delete next[module];
  else next[module] = pasted;
  usePasted.setState({ [flow]: next });
  try {
    if (Object.keys(next).length === 0) localStorage.removeItem(PLACE + flow);
    else localStorage.setItem(PLACE + flow, writeJson(next));
  } catch {
    // It then lasts until the page is closed.
  }
}

/** Forgets all samples: who signs out leaves nothing behind. */
export function forgetPasted(): void {
  if (typeof localStorage === "undefined") return;
  for (const key of Object.keys(localStorage)) if (key.startsWith(PLACE)) localStorage.removeItem(key);
  usePasted.setState({}, true);
}

/** A bundle is a collection; of several the last is taken. */
export function bundleOf(value: unknown): Record<string, unknown> | string {
  const one = (Array.isArray(value) ? value.at(-1) : value) as unknown;
  if (typeof one === "object" && one !== null && !Array.isArray(one)) return one as Record<string, unknown>;
  return "A module gives a collection: write it in braces, such as {\"name\": \"value\"}.";
}
