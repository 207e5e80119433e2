// What became of the cases, in words.

import type { Of } from "../api/client";
import { duration } from "../kit/When";

export type TriggerOutcomes = Of<"TriggerOutcomes">;
export type OutcomesGroup = Of<"OutcomesGroup">;
export type TriggerEpisode = Of<"TriggerEpisode">;
export type FlowOutcomes = Of<"FlowOutcomes">;


/** How long it took, where enough of them were seen to end. */
export const tookWords = (milliseconds: number | null | undefined) => (milliseconds == null ? "–" : duration(milliseconds));

const ENDINGS: Record<string, string> = {
  chain: "The loop closed: what the flow did made it go away",
  rows: "Went away by other rows",
  time: "Went away by time",
  catchUp: "Was gone when it was looked at again",
  madeRoom: "Made room for others; it still held",
  redefined: "The trigger was published with another meaning",
  setBack: "The process clock was set back",
};

/** Says how an episode ended. */
export const endingWords = (ending: string | null) => (ending === null ? "Still there" : (ENDINGS[ending] ?? ending));

/** Says in a sentence what became of the cases of a trigger. */
export function outcomesSentence({ episodes, actedOn }: Pick<TriggerOutcomes, "episodes" | "actedOn">): string {
  const { entered, found, left, leftBy, stillThere } = episodes;
  const all = entered + found;
  if (all === 0) return "No case has satisfied the trigger yet.";
  const cases = (count: number) => `${count.toLocaleString()} ${count === 1 ? "case" : "cases"}`;
  const acted = actedOn.episodes === 0 ? "none was acted on" : `${actedOn.episodes.toLocaleString()} ${actedOn.episodes === 1 ? "was" : "were"} acted on`;
  const closed = leftBy.chain === 0 ? "" : `, ${leftBy.chain.toLocaleString()} of them because of what a flow did`;
  return `${cases(all)}: ${acted}, ${left.toLocaleString()} went away${closed}, ${stillThere.toLocaleString()} ${stillThere === 1 ? "is" : "are"} still there.`;
}

/** The three groups that are compared, those first that were acted on. */
export const groupsOf = ({ compared }: Pick<TriggerOutcomes, "compared">): { name: string; title: string; group: OutcomesGroup }[] => [
  { name: "Acted on", title: "A run began with the signal while the condition held", group: compared.actedOn },
  { name: "Not acted on", title: "A flow listened, and no run began while the condition held", group: compared.notActedOn },
  { name: "Before", title: "No flow listened when it began", group: compared.before },
];
