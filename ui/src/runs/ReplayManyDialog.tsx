// Runs again all that was found, a thousand in a call.

import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";

import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import { replayRuns, type ManyStarted, type ReplayOf } from "./api";
import { askedFor, type Facets } from "./facets";

interface Props {
  facets: Facets;
  shown: number;
  more: boolean;
  onClose: () => void;
}

const AT_ONCE = 1000;

export function ReplayManyDialog({ facets, shown, more, onClose }: Props) {
  const queries = useQueryClient();
  const [from, setFrom] = useState<"start" | "failure">(facets.statuses.includes("error") ? "failure" : "start");
  const [of, setOf] = useState<ReplayOf>("its-version");
  const [told, setTold] = useState<ManyStarted | null>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);

  const start = async () => {
    setBusy(true);
    setFailure(null);
    // Only what has started by now: the new runs would be found as well.
    const where: Record<string, unknown> = { ...askedFor(facets, Date.now()), to: new Date().toISOString(), limit: AT_ONCE };
    const all: ManyStarted = { started: [], refused: [], next: null };
    try {
      for (;;) {
        const some = await replayRuns({ where: all.next === null ? where : { ...where, before: all.next } }, from, of);
        all.started.push(...some.started);
        all.refused.push(...some.refused);
        all.next = some.next;
        setTold({ ...all });
        if (some.next === null) break;
      }
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
      void queries.invalidateQueries({ queryKey: ["runs"] });
    }
  };
  return (
    <Dialog
      title={more ? `Run all that are found again, more than ${shown}` : `Run ${shown} ${shown === 1 ? "run" : "runs"} again`}
      onClose={onClose}
      actions={
        <>
          <button type="button" onClick={onClose}>
            {told === null ? "Cancel" : "Close"}
          </button>
          {told === null && (
            <button type="button" className="primary" disabled={busy} onClick={() => void start()}>
              {busy ? "Starting …" : "Run them again"}
            </button>
          )}
        </>
      }
    >
      <p>All that the filters above the list find are run again. What was done outside is done again.</p>
      <div className="field">
        <label htmlFor="again-from">From</label>
        <select id="again-from" value={from} onChange={(event) => setFrom(event.target.value as "start" | "failure")}>
          <option value="start">The start, with what each run began with</option>
          <option value="failure">The operation that failed</option>
        </select>
      </div>
      <VersionChoice of={of} onChange={setOf} />
      {told !== null && (
        <p role="status">
          {told.started.length.toLocaleString()} started, {told.refused.length.toLocaleString()} refused.
        </p>
      )}
      {told !== null && told.refused.length > 0 && (
        <ul className="runs-refused">
          {told.refused.slice(0, 20).map(({ run, detail }) => (
            <li key={run}>{detail}</li>
          ))}
        </ul>
      )}
      {failure !== null && <Problem error={failure} />}
    </Dialog>
  );
}

/** Which text of the flow is run. */
export function VersionChoice({ of, onChange }: { of: ReplayOf; onChange: (of: ReplayOf) => void }) {
  return (
    <div className="field">
      <label htmlFor="again-of">Version of the flow</label>
      <select id="again-of" value={of} onChange={(event) => onChange(event.target.value as ReplayOf)}>
        <option value="its-version">The one that it ran</option>
        <option value="published">The one that is published now</option>
        <option value="draft">The draft</option>
      </select>
    </div>
  );
}
