// Above the canvas: where the flow lies, its name, its versions, publishing.

import { useState } from "react";
import { Link } from "wouter";
import { ChevronDown, Download, History, KeyRound, ListChecks, Upload } from "lucide-react";

import { Chip } from "../kit/Chip";
import { Menu } from "../kit/Menu";
import { warn } from "../kit/toasts";
import { readBlueprint, type FlowShown } from "./api";
import { useEditor, useEditorStore } from "./editor/store";
import { storeAll } from "./editor/saving";
import { ImportDialog } from "./ImportDialog";
import { PublishDialog } from "./PublishDialog";
import { SecretsDialog } from "./SecretsDialog";
import { VersionsDialog } from "./VersionsDialog";

type Opened = "publish" | "versions" | "import" | "secrets" | null;

export function FlowHead({ flow }: { flow: FlowShown }) {
  const store = useEditorStore();
  const readonly = useEditor((editor) => editor.readonly);
  const [open, setOpen] = useState<Opened>(null);
  const close = () => setOpen(null);
  const save = async (format: "json" | "yaml") => {
    try {
      if (!readonly) await storeAll(store);
      const text = await readBlueprint(flow.key, format);
      download(text, `${flow.key}.${format === "json" ? "blueprint.json" : "yaml"}`);
    } catch (error) {
      warn(error);
    }
  };
  return (
    <header className="flow-head">
      <div className="flow-head-name">
        <nav className="way" aria-label="Where this page lies">
          <Link href="/flows">Flows</Link>
          {flow.package !== undefined && (
            <>
              <span aria-hidden="true"> / </span>
              <Link href={`/flows?package=${encodeURIComponent(flow.package)}`}>{flow.package}</Link>
            </>
          )}
        </nav>
        <FlowName />
        {flow.paused !== undefined && (
          <Chip tone="warn" title={flow.paused}>
            Paused
          </Chip>
        )}
        {readonly && <Chip title="Changing flows needs the right “Change flows”. Whoever manages app keys gives it.">You may look</Chip>}
        {flow.switchedOff !== undefined && (
          <Chip tone="bad" title={flow.switchedOff}>
            Switched off
          </Chip>
        )}
      </div>
      <div className="actions">
        <Link href={`/runs?flow=${encodeURIComponent(flow.key)}`} className="button flow-head-link">
          <ListChecks aria-hidden="true" size={16} /> Runs
        </Link>
        <button type="button" className="with-icon" onClick={() => setOpen("versions")}>
          <History aria-hidden="true" size={16} /> Versions
        </button>
        <Menu
          label="More to do with this flow"
          trigger={
            <>
              More <ChevronDown aria-hidden="true" size={15} />
            </>
          }
          items={[
            { name: <><Download aria-hidden="true" size={16} /> Export blueprint (JSON)</>, onSelect: () => void save("json") },
            { name: <><Download aria-hidden="true" size={16} /> Export YAML</>, onSelect: () => void save("yaml") },
            { name: <><Upload aria-hidden="true" size={16} /> Import into this flow</>, onSelect: () => setOpen("import"), disabled: readonly },
            { name: <><KeyRound aria-hidden="true" size={16} /> Find secrets</>, onSelect: () => setOpen("secrets"), disabled: readonly },
          ]}
        />
        {!readonly && (
          <button type="button" className="publish" onClick={() => setOpen("publish")}>
            {flow.package === undefined ? "Publish" : "Publish package"}
          </button>
        )}
      </div>
      {open === "publish" && <PublishDialog flow={flow} onClose={close} />}
      {open === "versions" && <VersionsDialog flow={flow} onClose={close} />}
      {open === "import" && <ImportDialog into={flow.key} onClose={close} />}
      {open === "secrets" && <SecretsDialog flow={flow.key} onClose={close} />}
    </header>
  );
}

function FlowName() {
  const store = useEditorStore();
  const name = useEditor((editor) => editor.document.name ?? editor.flow);
  const readonly = useEditor((editor) => editor.readonly);
  const write = (next: string) => {
    if (next.trim() === "" || next === name) return;
    store.getState().edit("Rename the flow", (document) => ({ ...document, name: next.trim() }), "name");
  };
  return (
    <h1 id="page-title" className="flow-name" aria-label={name}>
      <input
        key={name}
        aria-label="Name of the flow"
        defaultValue={name}
        readOnly={readonly}
        size={Math.max(8, Math.min(48, name.length + 1))}
        onBlur={(event) => write(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.currentTarget.blur();
          if (event.key === "Escape") {
            event.currentTarget.value = name;
            event.currentTarget.blur();
          }
        }}
      />
    </h1>
  );
}

/** Hands a text over as a file. */
export function download(text: string, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
