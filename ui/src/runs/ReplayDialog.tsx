// Runs again what a run did, from its start or from an operation on, with what
// it had or with other data.

import { useState } from "react";

import { useQuery } from "@tanstack/react-query";

import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import { useAgain } from "./acts";
import { readOperations, type Again, type ReplayOf, type RunWhole } from "./api";
import { JsonField, jsonOf } from "./JsonField";
import { VersionChoice } from "./ReplayManyDialog";
import { bundlesSeenAt } from "./seen";
import { readJson, writeJson } from "../api/exact";

interface Props {
  run: RunWhole;
  from: "start" | number;
  nameOf: (module: number) => string;
  onClose: () => void;
}

const pretty = (value: unknown) => writeJson(value, 2);

export function ReplayDialog({ run, from, nameOf, onClose }: Props) {
  const again = useAgain();
  const [of, setOf] = useState<ReplayOf>("its-version");
  // What is not changed is not sent, so that it stays exactly what it was.
  const [texts, setTexts] = useState<Record<string, string>>({});
  const whole = useQuery({ queryKey: ["operation", run.id, "all"], queryFn: () => readOperations(run.id), enabled: from !== "start" });
  const parts: [string, string, unknown][] =
    from === "start"
      ? [["input", "What the run begins with", run.input]]
      : Object.entries(bundlesSeenAt(whole.data ?? [], from)).map(([module, bundle]) => [module, `Bundle of ${nameOf(Number(module))} (${module})`, bundle]);
  const unreadable = Object.values(texts).some((text) => "wrong" in jsonOf(text));
  const changed = parts.filter(([key, , value]) => texts[key] !== undefined && texts[key] !== pretty(value));

  const start = () => {
    const values = Object.fromEntries(changed.map(([key]) => [key, readJson(texts[key]!) as unknown]));
    const asked: Again = { of, from };
    if (from === "start" && "input" in values) asked.input = values["input"];
    if (from !== "start" && changed.length > 0) asked.bundles = values;
    again.mutate({ run: run.id, again: asked }, { onSuccess: onClose });
  };
  return (
    <Dialog
      wide
      title={from === "start" ? "Run again from the start" : `Run again from operation ${from}`}
      onClose={onClose}
      actions={
        <>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className="primary" disabled={unreadable || again.isPending} onClick={start}>
            {again.isPending ? "Starting …" : changed.length > 0 ? "Run with the changed data" : "Run again"}
          </button>
        </>
      }
    >
      <p className="muted">What was done outside from there on is done again.</p>
      <VersionChoice of={of} onChange={setOf} />
      {whole.isLoading && <p className="muted">Loading …</p>}
      {whole.error !== null && <Problem error={whole.error} onRetry={() => void whole.refetch()} />}
      {parts.length === 0 && !whole.isLoading && whole.error === null && <p>Nothing stood before this operation that could be changed.</p>}
      {parts.map(([key, label, value]) => (
        <JsonField
          key={key}
          label={label}
          rows={parts.length > 1 ? 8 : 14}
          text={texts[key] ?? pretty(value)}
          onChange={(text) => setTexts((before) => ({ ...before, [key]: text }))}
        />
      ))}
      {again.error !== null && <Problem error={again.error} />}
    </Dialog>
  );
}
