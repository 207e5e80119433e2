// A module that has not run yet can be given a sample by hand.

import { useState } from "react";
import { ClipboardPaste } from "lucide-react";

import { writeJson } from "../../../api/exact";
import { Dialog } from "../../../kit/Dialog";
import { say } from "../../../kit/toasts";
import { JsonField, jsonOf } from "../../../runs/JsonField";
import { useEditor } from "../store";
import { bundleOf, keepPasted, pastedOf } from "./pasted";

interface Props {
  module: number;
  name: string;
}

export function PasteSample({ module, name }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="panel-add" onClick={() => setOpen(true)}>
        <ClipboardPaste aria-hidden="true" size={15} /> Paste a sample<span className="unseen"> for {name}</span>
      </button>
      {open && <SampleDialog module={module} name={name} onClose={() => setOpen(false)} />}
    </>
  );
}

function SampleDialog({ module, name, onClose }: Props & { onClose: () => void }) {
  const flow = useEditor((editor) => editor.flow);
  const pasted = pastedOf(flow)[module];
  const [text, setText] = useState(() => (pasted === undefined ? "{\n  \n}" : writeJson(pasted.bundle, 2)));
  const read = jsonOf(text);
  const bundle = "value" in read ? bundleOf(read.value) : null;
  const keep = () => {
    if (bundle === null || typeof bundle === "string") return;
    keepPasted(flow, module, { bundle, at: new Date().toISOString() });
    say(`“${name}” has a sample now.`);
    onClose();
  };
  const remove = () => {
    keepPasted(flow, module, null);
    onClose();
  };
  return (
    <Dialog
      title={`A sample of what “${name}” gives`}
      onClose={onClose}
      actions={
        <>
          {pasted !== undefined && (
            <button type="button" className="quiet" onClick={remove}>
              Remove the sample
            </button>
          )}
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className="primary" disabled={bundle === null || typeof bundle === "string"} onClick={keep}>
            Use this sample
          </button>
        </>
      }
    >
      <p>
        Paste one bundle as JSON. Its fields can then be mapped, and results are shown with its values. It is kept in this browser only, for this flow and this module, until the module runs, you remove it, or you sign out.
      </p>
      <JsonField label={`Bundle of module ${module}`} text={text} rows={11} onChange={setText} />
      {typeof bundle === "string" && <p className="panel-problem">{bundle}</p>}
    </Dialog>
  );
}
