// What a task says of itself, in words.

import type { Tone } from "../kit/Chip";
import type { Task } from "./api";

const DECISIONS: Record<string, [string, Tone]> = {
  approve: ["Approved", "good"],
  approved: ["Approved", "good"],
  reject: ["Rejected", "bad"],
  rejected: ["Rejected", "bad"],
  expired: ["Expired", "plain"],
};

/** How a task stands: a word and its tone. */
export function standingOf({ state, decision }: Pick<Task, "state" | "decision">): [string, Tone] {
  if (state === "open") return ["Open", "busy"];
  if (state === "withdrawn") return ["Withdrawn", "plain"];
  return DECISIONS[decision ?? ""] ?? ["Answered", "plain"];
}

const OTHERWISE: Record<string, string> = {
  continue: "the flow goes on without an answer",
  approve: "it counts as approved",
  reject: "it counts as rejected",
  fail: "the run fails",
};

/** What counts as the answer when the deadline has passed. */
export const otherwiseWords = (otherwise: string) => OTHERWISE[otherwise] ?? otherwise;
