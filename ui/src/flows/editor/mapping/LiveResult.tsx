import { useState } from "react";
import { CircleAlert, Equal } from "lucide-react";

import { writeJson } from "../../../api/exact";
import { inALine } from "./outputs";
import { PasteSample } from "./PasteSample";
import type { Outcome } from "./result";
import { RunAlone } from "./RunAlone";

interface Props {
  outcome: Outcome;
  /** The field was the last to have the focus: it says what to do. */
  aimed: boolean;
  onMend: ((fix: string, from: number, to: number) => void) | undefined;
}

/** What a field comes to with the last real values, or what to do so that there are some. */
export function LiveResult({ outcome, aimed, onMend }: Props) {
  switch (outcome.is) {
    case "quiet":
      return null;
    case "value":
      return <Value key={typeof outcome.value} value={outcome.value} kind={outcome.kind} />;
    case "mistake": {
      const { message, start, end, fix } = outcome.mistake;
      return (
        <p className="result wrong">
          <CircleAlert aria-hidden="true" size={14} />
          <span>
            {sentence(message)}
            {fix != null && onMend !== undefined && (
              <button type="button" className="result-mend" onClick={() => onMend(fix, start, end)}>
                Write <code>{fix}</code>
              </button>
            )}
          </span>
        </p>
      );
    }
    case "unseen": {
      const [first, ...others] = outcome.sources;
      if (first === undefined || !aimed) return null;
      return (
        <div className="result unseen-yet">
          <p>
            No result yet: “{first.name}” has not run{others.length > 0 ? `, nor ${others.length === 1 ? `has “${others[0]!.name}”` : `have ${others.length} others`}` : ""}.
          </p>
          <div className="result-acts">
            {first.alone && <RunAlone module={first.id} name={first.name} small that />}
            <PasteSample module={first.id} name={first.name} />
          </div>
        </div>
      );
    }
  }
}

const LONG = 70;
const KINDS: Record<string, string> = { boolean: "yes or no", array: "list", null: "null", absent: "nothing", buffer: "bytes" };

function Value({ value, kind }: { value: unknown; kind: string }) {
  const [open, setOpen] = useState(false);
  const text = typeof value === "string" ? value : writeJson(value, 2);
  const long = text !== undefined && (text.length > LONG || text.includes("\n"));
  const empty = kind === "absent" ? "Nothing: the field is left out" : kind === "null" ? "null" : text === "" ? "Empty text" : null;
  return (
    <div className="result">
      <Equal aria-hidden="true" size={13} />
      <span className="unseen">Comes to </span>
      {empty !== null ? (
        <span className="muted">{empty}</span>
      ) : open && long ? (
        <pre className="result-whole">{text}</pre>
      ) : (
        <span className="result-value">{inALine(typeof value === "string" ? value.replaceAll("\n", "⏎") : value, LONG)}</span>
      )}
      {empty === null && <span className="result-kind">{KINDS[kind] ?? kind}</span>}
      {long && empty === null && (
        <button type="button" className="result-more" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Less" : "All"}
        </button>
      )}
    </div>
  );
}

/** Begins with a capital letter, unless it begins with the name of a function. */
function sentence(words: string): string {
  if (/^\w+[(:]/.test(words)) return words;
  return words.charAt(0).toUpperCase() + words.slice(1);
}
