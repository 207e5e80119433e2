// What can be done about a case: the actions of its model. Each starts a flow,
// whose form is filled with what is known of the case.

import { useState } from "react";
import { useQuery } from "@tanstack/react-query";

import { Dialog } from "../kit/Dialog";
import { Read } from "../kit/Read";
import { readForm, startRun } from "../runs/api";
import { fieldsOf } from "../runs/form";
import { RunForm } from "../runs/RunForm";
import { RunProgress } from "../runs/RunProgress";
import type { CaseAction } from "./api";

export function CaseActions({ actions }: { actions: CaseAction[] }) {
  const [asked, setAsked] = useState<CaseAction | null>(null);
  if (actions.length === 0) return null;
  // The name alone says enough where a case is one instance.
  const several = new Set(actions.map(({ identifier }) => identifier)).size > 1;
  return (
    <section aria-label="What can be done">
      <h2 className="models-head">What can be done</h2>
      <ul className="models-actions">
        {actions.map((action) => (
          <li key={`${action.id} ${action.record} ${action.identifier}`}>
            <button type="button" disabled={!action.applies || action.flow === null} onClick={() => setAsked(action)}>
              {action.name}
              {several && ` · ${action.identifier}`}
            </button>
            <span className="muted">{why(action)}</span>
          </li>
        ))}
      </ul>
      {asked !== null && <ActionDialog action={asked} flow={asked.flow!} onClose={() => setAsked(null)} />}
    </section>
  );
}

function why({ applies, flow, description }: CaseAction): string {
  if (flow === null) return "No flow does it yet: the knowledge model names none (skillKey).";
  if (!applies) return "Not now: its conditions do not hold.";
  return description ?? "";
}

function ActionDialog({ action, flow, onClose }: { action: CaseAction; flow: string; onClose: () => void }) {
  const form = useQuery({ queryKey: ["flow", flow, "form"], queryFn: () => readForm(flow) });
  const [run, setRun] = useState<string | null>(null);
  return (
    <Dialog title={action.name} onClose={onClose}>
      {run !== null ? (
        <RunProgress run={run} onAgain={() => setRun(null)} />
      ) : (
        <Read query={form}>
          {(schema) => (
            <RunForm
              schema={schema}
              known={action.inputs}
              // A flow that asks for nothing is given all that is known.
              onStart={async (input) => setRun((await startRun(flow, { input: fieldsOf(schema).length === 0 ? action.inputs : input })).id)}
              onCancel={onClose}
            />
          )}
        </Read>
      )}
    </Dialog>
  );
}
