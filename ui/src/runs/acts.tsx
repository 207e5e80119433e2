// What can be done with a run.

import { useState } from "react";
import { useLocation } from "wouter";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { MoreHorizontal } from "lucide-react";

import { Menu } from "../kit/Menu";
import { Timed } from "../kit/When";
import { say, warn } from "../kit/toasts";
import { cancelRun, decideRun, replayRun, type Again, type ReplayOf, type Run } from "./api";
import { heldWords } from "./words";

/** Forgets what was read of runs, after something was done with one. */
function useAnew() {
  const queries = useQueryClient();
  return () => {
    void queries.invalidateQueries({ queryKey: ["runs"] });
    void queries.invalidateQueries({ queryKey: ["run"] });
  };
}

export function useCancel() {
  const anew = useAnew();
  return useMutation({
    mutationFn: (run: string) => cancelRun(run),
    onSuccess: () => say("The run was cancelled."),
    onError: warn,
    onSettled: anew,
  });
}

/** Runs it again and goes to the new run. */
export function useAgain() {
  const anew = useAnew();
  const [, goTo] = useLocation();
  return useMutation({
    mutationFn: ({ run, again }: { run: string; again: Again }) => replayRun(run, again),
    onSuccess: ({ id }) => {
      anew();
      say("A new run was started. This is it.");
      goTo(`/runs/${id}`);
    },
  });
}

export function RunMenu({ run }: { run: Run }) {
  const cancel = useCancel();
  const again = useAgain();
  const replay = (from: Again["from"], of: ReplayOf) => again.mutate({ run: run.id, again: { from, of } }, { onError: warn });
  const [, goTo] = useLocation();
  const items = [
    { name: "Open", onSelect: () => goTo(`/runs/${run.id}`) },
    { name: "Run again from the start", onSelect: () => replay("start", "its-version") },
    ...(run.status === "error" || run.status === "warning" ? [{ name: "Run again from the failure", onSelect: () => replay("failure", "its-version") }] : []),
    ...(run.state === "ended" ? [] : [{ name: "Cancel the run", grave: true, onSelect: () => cancel.mutate(run.id) }]),
  ];
  return <Menu label="What can be done with this run" trigger={<MoreHorizontal aria-hidden="true" size={16} />} items={items} />;
}

/** A run that is in doubt or parked: what happened, and the decision. */
export function Decide({ run, small = false }: { run: Run; small?: boolean }) {
  const anew = useAnew();
  const [taken, setTaken] = useState(false);
  const decide = useMutation({
    mutationFn: (decision: "repeat" | "abandon") => decideRun(run.id, decision),
    onSuccess: (_, decision) => {
      setTaken(true);
      say(decision === "repeat" ? "The run goes on and does it again." : "The run was given up.");
    },
    onError: warn,
    onSettled: anew,
  });
  const busy = decide.isPending || taken;
  return (
    <div className={small ? "runs-decide small" : "runs-decide"} role="group" aria-label="Decide how the run goes on">
      {!small && <p>{heldWords(run)}</p>}
      {!small && run.reason !== null && <p className="runs-reason"><Timed text={run.reason} /></p>}
      <div className="actions">
        <button type="button" disabled={busy} onClick={() => decide.mutate("repeat")}>
          Do it again
        </button>
        <button type="button" className="grave" disabled={busy} onClick={() => decide.mutate("abandon")}>
          Give it up
        </button>
      </div>
    </div>
  );
}
