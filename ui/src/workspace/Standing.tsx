import type { StateBlock } from "./api";
import { standing } from "./words";

const SIGNS = { good: "✓", bad: "✕", busy: "●", waiting: "◌", quiet: "–" };

/** How a run or a task stands: a word and a sign, not a colour alone. */
export function Standing({ state }: { state: StateBlock | undefined }) {
  const { word, tone } = standing(state);
  return (
    <span className={`standing ${tone}`}>
      <span aria-hidden="true">{SIGNS[tone]}</span> {word}
    </span>
  );
}
