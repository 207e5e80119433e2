// What runs and filters say, in words for people.

import type { Tone } from "../kit/Chip";
import type { Choice, Judged, Judgement, Run, Standing } from "./api";
import { writeJson } from "../api/exact";

export const STANDINGS: Standing[] = ["running", "sleeping", "held", "success", "warning", "error", "cancelled"];

const STANDING_WORDS: Record<Standing, string> = {
  running: "Running",
  sleeping: "Waiting",
  held: "Needs a decision",
  success: "Success",
  warning: "Warning",
  error: "Failed",
  cancelled: "Cancelled",
};

const TONES: Record<string, Tone> = {
  running: "busy",
  sleeping: "busy",
  held: "warn",
  success: "good",
  warning: "warn",
  error: "bad",
  cancelled: "plain",
  filtered: "plain",
};

export const standingWord = (standing: Standing) => STANDING_WORDS[standing] ?? standing;
export const toneOf = (status: string): Tone => TONES[status] ?? "plain";

const STARTED_WORDS: Record<string, string> = {
  signal: "Signal",
  webhook: "Webhook",
  schedule: "Schedule",
  manual: "By hand",
  flow: "Another flow",
  retry: "Retry",
  replay: "Run again",
  operation: "From an operation",
  module: "One module alone",
};
export const STARTS = Object.keys(STARTED_WORDS);
export const startedWord = (by: string) => STARTED_WORDS[by] ?? by;

const OPERATION_WORDS: Record<string, string> = {
  success: "Success",
  warning: "Bad status",
  error: "Failed",
  filtered: "Did not pass",
};
export const operationWord = (status: string) => OPERATION_WORDS[status] ?? status;

const OPERATORS: Record<string, string> = {
  exist: "exists",
  notexist: "does not exist",
  equal: "is equal to",
  notequal: "is not equal to",
  contain: "contains",
  notcontain: "does not contain",
  startwith: "starts with",
  notstartwith: "does not start with",
  endwith: "ends with",
  notendwith: "does not end with",
  pattern: "matches",
  notpattern: "does not match",
  less: "is less than",
  greater: "is greater than",
  lessorequal: "is at most",
  greaterorequal: "is at least",
};

/** Says an operator such as `number:greaterorequal:ci`. */
export function operatorWords(operator: string): string {
  const [first = "", second, third] = operator.split(":");
  const last = second === undefined || second === "ci" ? first : second;
  const words = OPERATORS[last] ?? operator;
  const ignoresCase = second === "ci" || third === "ci";
  return ignoresCase && words !== operator ? `${words} (in whatever case)` : words;
}

/** A value in a sentence. */
export function shortly(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (typeof value === "string") return `“${value}”`;
  return writeJson(value) ?? "nothing";
}

/** Says one condition with what its sides came to. */
export function conditionWords({ left, operator, right }: Judged): string {
  const unary = /(^|:)(not)?exist$/.test(operator);
  // Numbers are written as texts in flows, and are compared as numbers.
  const side = (value: unknown) => (operator.startsWith("number:") && typeof value === "string" && value.trim() !== "" && !Number.isNaN(Number(value)) ? value : shortly(value));
  return `${side(left)} ${operatorWords(operator)}${unary ? "" : ` ${side(right)}`}`;
}

/** Says in one sentence why a filter let a bundle pass, or did not; `bare`, without whether it did. */
export function judgementWords(judgement: Judgement, bare = false): string {
  const decided = judgement.passes
    ? judgement.any.find((all) => all.length > 0 && all.every((condition) => condition.holds))
    : judgement.any.flatMap((all) => all.filter((condition) => !condition.holds));
  const head = judgement.passes ? "Passed" : "Did not pass";
  if (decided === undefined || decided.length === 0) return head;
  const conditions = decided.map(conditionWords);
  if (bare) return conditions.join(judgement.passes ? " and " : "; ") + (judgement.passes ? "" : conditions.length === 1 ? " does not hold" : ", none of which holds");
  if (judgement.passes) return `${head}: ${conditions.join(" and ")}`;
  const hold = conditions.length === 1 ? "this does not hold" : "none of this holds";
  return `${head}, because ${hold}: ${conditions.join("; ")}`;
}

/** Says where a way led. */
export function choiceWords(choice: Choice): string {
  const to = choice.leadsTo === undefined ? "" : ` to module ${choice.leadsTo}`;
  const what = choice.way !== undefined ? `Way ${choice.way}` : to === "" ? "Its entrance" : "On";
  return `${what}${to}: ${choice.taken ? "taken" : "not taken"}`;
}

/** Names a link of a chain of causes, and where it leads. */
export function causeOf(link: string): { name: string; to: string | null } {
  const names = link.split("/").map((name) => {
    try {
      return decodeURIComponent(name);
    } catch {
      return name;
    }
  });
  const [first = "", second = "", third = ""] = names;
  if (first === "flow" || first === "run") return { name: names.join(" / "), to: first === "run" ? `/runs/${second}` : `/flows/${second}` };
  if (names.length < 3) return { name: names.join(" / "), to: null };
  return { name: `Signal ${second} for ${third} of ${first}`, to: `/models/${encodeURIComponent(first)}` };
}

/** What there is to do about a run that is held. */
export function heldWords(run: Run): string {
  return run.state === "in-doubt"
    ? "The program ended while this run was doing something outside, and nobody knows whether that was done. Look there, then decide."
    : "This run stopped where it could not go on by itself. Somebody has to decide how it goes on.";
}
