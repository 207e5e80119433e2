// Makes the draft what runs; in a package, all its drafts at once.

import { useState } from "react";
import { useQuery, useQueryClient } from "@tanstack/react-query";

import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import { say } from "../kit/toasts";
import { publishFlow, publishPackage, readDifference, type FlowShown } from "./api";
import { DifferenceList } from "./Difference";
import { storeAll } from "./editor/saving";
import { useEditor, useEditorStore } from "./editor/store";

export function PublishDialog({ flow, onClose }: { flow: FlowShown; onClose: () => void }) {
  const store = useEditorStore();
  const queries = useQueryClient();
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const errors = useEditor((editor) => editor.notices).filter(({ severity }) => severity === "error");
  const difference = useQuery({
    queryKey: ["flow", flow.key, "ahead", store.getState().revision],
    queryFn: async () => {
      await storeAll(store);
      return readDifference(flow.key, "published", "draft");
    },
    enabled: flow.version !== null,
  });
  const publish = async () => {
    setBusy(true);
    setError(null);
    try {
      if (!(await storeAll(store))) throw new Error("The draft could not be stored, so nothing was published. Your changes are kept here.");
      const { version } = flow.package === undefined ? await publishFlow(flow.key, note.trim()) : await publishPackage(flow.package, note.trim());
      say(flow.package === undefined ? `Published as version ${version}` : `Package ${flow.package} published as version ${version}`);
      await queries.invalidateQueries({ queryKey: ["flow", flow.key], exact: true });
      await queries.invalidateQueries({ queryKey: ["flow", flow.key, "versions"] });
      await queries.invalidateQueries({ queryKey: ["flows"] });
      onClose();
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  return (
    <Dialog
      title={flow.package === undefined ? "Publish this flow" : `Publish package ${flow.package}`}
      onClose={onClose}
      actions={
        <>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className="publish" disabled={busy} onClick={() => void publish()}>
            {busy ? "Publishing" : "Publish"}
          </button>
        </>
      }
    >
      <p>
        {flow.package === undefined
          ? "The draft becomes the version that runs."
          : "All drafts of the package become the versions that run, or none of them."}
        {flow.state !== "active" && " It starts by itself once it is active."}
      </p>
      {errors.length > 0 && (
        <div className="problem">
          <p>The check found what keeps it from being published:</p>
          <ul>
            {errors.map(({ module, text }, index) => (
              <li key={index}>
                {module !== null && <strong>Module {module}: </strong>}
                {text}
              </li>
            ))}
          </ul>
        </div>
      )}
      <div className="field">
        <label htmlFor="publish-note">What is different now</label>
        <input id="publish-note" value={note} onChange={(event) => setNote(event.target.value)} placeholder="A sentence for those who read it later" />
      </div>
      {difference.data !== undefined && (
        <details className="publish-changes">
          <summary>Since version {flow.version}</summary>
          <DifferenceList difference={difference.data} />
        </details>
      )}
      {error !== null && <Problem error={error} />}
    </Dialog>
  );
}
