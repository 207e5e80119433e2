// What a run by hand begins with: the flow's form, what waits on its hook, or
// a bundle typed in.

import { useState } from "react";
import { useQuery } from "@tanstack/react-query";

import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import type { FormSchema } from "./form";
import { JsonField, jsonOf } from "./JsonField";
import { RunForm } from "./RunForm";
import { waitingForDraft } from "./waiting";

export interface Given {
  input?: unknown;
  waiting?: boolean;
}

interface Props {
  flow: string;
  form: FormSchema | null;
  onStart: (given: Given) => Promise<void>;
  onClose: () => void;
}

export function StartDialog({ flow, form, onStart, onClose }: Props) {
  if (form !== null) {
    return (
      <Dialog title="Run once" onClose={onClose}>
        <RunForm schema={form} onStart={(input) => onStart({ input })} onCancel={onClose} />
      </Dialog>
    );
  }
  return <WaitingDialog flow={flow} onStart={onStart} onClose={onClose} />;
}

/** A flow that data starts has nothing waiting: it waits for some, or takes a bundle of one's own. */
function WaitingDialog({ flow, onStart, onClose }: Omit<Props, "form">) {
  const [text, setText] = useState("{\n  \n}");
  const [failure, setFailure] = useState<unknown>(null);
  const about = useQuery({ queryKey: ["flow", flow, "waiting"], queryFn: () => waitingForDraft(flow), refetchInterval: 1000 });
  const waiting = about.data ?? 0;
  const start = (given: Given) => void onStart(given).catch(setFailure);
  const read = jsonOf(text);
  return (
    <Dialog
      title="What is the run to begin with?"
      onClose={onClose}
      actions={
        <>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="button" disabled={!("value" in read)} onClick={() => "value" in read && start({ input: read.value })}>
            Run with this bundle
          </button>
          <button type="button" className="primary" disabled={waiting === 0} onClick={() => start({ waiting: true })}>
            {waiting === 0 ? "Waiting for data …" : `Run with what waits (${waiting})`}
          </button>
        </>
      }
    >
      <p role="status">
        {waiting === 0
          ? "This flow begins with data, and nothing waits for it yet. Send something to it, and it appears here. Or type in a bundle."
          : `${waiting} ${waiting === 1 ? "item waits" : "items wait"} for this flow.`}
      </p>
      <JsonField label="Bundle" text={text} rows={7} onChange={setText} />
      {failure !== null && <Problem error={failure} />}
    </Dialog>
  );
}
