// Finds modules in the flow: by name, kind, id, or any text in their settings.

import { useEffect, useMemo, useRef, useState } from "react";
import { useReactFlow } from "@xyflow/react";
import { Search, X } from "lucide-react";

import { modules } from "./edits";
import { nameOf } from "./graph";
import { OPEN_SEARCH } from "./keys";
import { gently, positions, SIZE } from "./layout";
import { useEditor, useEditorStore } from "./store";
import { writeJson } from "../../api/exact";

const SHOWN_MAX = 12;

export function FlowSearch() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const listen = () => setOpen(true);
    window.addEventListener(OPEN_SEARCH, listen);
    return () => window.removeEventListener(OPEN_SEARCH, listen);
  }, []);
  return open ? <Field onClose={() => setOpen(false)} /> : null;
}

function Field({ onClose }: { onClose: () => void }) {
  const store = useEditorStore();
  const canvas = useReactFlow();
  const document = useEditor((editor) => editor.document);
  const kinds = useEditor((editor) => editor.kinds);
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const found = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    if (wanted === "") return [];
    return modules(document)
      .map((module) => ({ module, name: nameOf(module, kinds.get(module.module)?.label) }))
      .filter(({ module, name }) => {
        const { routes: _r, branches: _b, onerror: _o, flow: _f, ...own } = module;
        return name.toLowerCase().includes(wanted) || String(module.id) === wanted || writeJson(own).toLowerCase().includes(wanted);
      });
  }, [document, kinds, text]);
  const go = (id: number) => {
    const at = positions(document).get(id);
    store.getState().select({ kind: "module", id });
    if (at !== undefined) void canvas.setCenter(at.x + SIZE / 2, at.y + SIZE / 2, { zoom: Math.max(0.8, canvas.getZoom()), duration: gently(200) });
  };
  return (
    <div className="flow-search" role="search" aria-label="Search in this flow">
      <div className="chooser-search">
        <Search aria-hidden="true" size={16} />
        <input
          ref={field}
          aria-label="Search in this flow"
          placeholder="Name, id or any text in it"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") onClose();
            if (event.key === "Enter" && found[0] !== undefined) go(found[0].module.id);
          }}
        />
        <button type="button" className="icon" aria-label="Close the search" onClick={onClose}>
          <X aria-hidden="true" size={16} />
        </button>
      </div>
      <p className="muted flow-search-count" role="status">
        {text.trim() === "" ? "" : found.length === 0 ? "Nothing in this flow fits." : `${found.length} ${found.length === 1 ? "module" : "modules"}`}
      </p>
      <ul>
        {found.slice(0, SHOWN_MAX).map(({ module, name }) => (
          <li key={module.id}>
            <button type="button" onClick={() => go(module.id)}>
              <span>{name}</span>
              <small>{module.id}</small>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
