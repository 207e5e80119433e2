// What has to be there before a template can be tried.

import type { Source } from "./outputs";
import type { Scope } from "./scope";
import { expressions } from "./template";

/** What a template needs so that it can be tried. */
export interface Needs {
  bundles: Record<string, unknown>;
  /** Modules before the field that have given nothing yet. */
  unseen: Source[];
  /** Every letter could be read; what is wrong then may lie in the missing values. */
  sound: boolean;
}

/** The server tries no longer ones. */
const LETTERS_MAX = 30_000;

/** Finds what a template takes values from; null if there is nothing to try, or not yet. */
export function needsOf(template: string, scope: Scope): Needs | null {
  const mapped = expressions(template);
  // Between braces that were just opened something is about to be written.
  const begun = mapped.some(({ closed, tokens }) => closed && tokens.length === 0);
  if (mapped.length === 0 || begun || template.length > LETTERS_MAX) return null;
  const named = new Set(mapped.flatMap((one) => one.references.map(({ root }) => root)));
  const sources = scope.sources.filter(({ id }) => named.has(id));
  const seen = sources.filter((source) => source.bundle !== undefined);
  return {
    bundles: Object.fromEntries(seen.map(({ id, bundle }) => [String(id), bundle])),
    unseen: sources.filter((source) => source.bundle === undefined),
    sound: mapped.every(({ closed, tokens, brackets }) => closed && tokens.length > 0 && tokens.every(({ kind }) => kind !== "bad") && brackets.every(({ close }) => close !== null)),
  };
}
