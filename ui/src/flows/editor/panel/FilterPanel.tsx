import { X } from "lucide-react";

import type { Condition, Filter, FlowDocument } from "../document";
import { find, setFilter } from "../edits";
import { MappingPanel } from "../mapping/MappingPanel";
import { useEditor, useEditorStore } from "../store";
import { BranchFields } from "./Branches";
import { Conditions } from "./Conditions";

/** The condition on the wire that is selected: what may pass to the module behind it. */
export function FilterPanel() {
  const selection = useEditor((editor) => editor.selection);
  const to = selection?.kind === "wire" ? selection.to : null;
  const module = useEditor((editor) => (to === null ? undefined : find(editor.document, to)?.module));
  const kind = useEditor((editor) => (module === undefined ? undefined : editor.kinds.get(module.module)));
  const edit = useEditor((editor) => editor.edit);
  const readonly = useEditor((editor) => editor.readonly);
  const store = useEditorStore();
  const filter = module?.filter ?? null;
  // The wire to the first module of a branch is the branch's own.
  const at = useEditor((editor) => (to === null ? null : branchAt(editor.document, to)));
  const [ifElse, place] = at?.split(" ").map(Number) ?? [];
  const branch = useEditor((editor) => (ifElse === undefined || place === undefined ? undefined : find(editor.document, ifElse)?.module.branches?.[place]));
  if (module === undefined || to === null) return null;
  const set = (next: Filter | null, joins?: string) => edit("Set up a filter", (document) => setFilter(document, to, next), joins);
  // A label stays when the last condition goes.
  const setConditions = (conditions: Condition[][], joins?: string) => set(conditions.length === 0 && !filter?.name ? null : { ...filter, conditions }, joins);
  const name = module.metadata?.designer?.name ?? kind?.label ?? module.module;
  return (
    <div className="panel">
      <header className="panel-head">
        <div>
          <h2>{branch === undefined ? "Set up a filter" : "Set up a branch"}</h2>
          <p className="muted panel-kind">What may pass to “{name}”</p>
        </div>
        <button type="button" className="icon" aria-label="Close the filter" onClick={() => store.getState().setOpen(false)}>
          <X aria-hidden="true" size={18} />
        </button>
      </header>
      <div className="panel-body">
        {ifElse !== undefined && place !== undefined && branch !== undefined && (
          <>
            <BranchFields ifElse={ifElse} index={place} branch={branch} />
            <h3 className="panel-also">Filter behind it</h3>
          </>
        )}
        <div className="field">
          <label htmlFor="filter-label">Label</label>
          <input id="filter-label" readOnly={readonly} placeholder="Such as Success" value={filter?.name ?? ""} onChange={(event) => set({ conditions: [], ...filter, name: event.target.value }, `filter ${to} name`)} />
        </div>
        <Conditions id={`filter-${to}`} conditions={filter?.conditions} readonly={readonly} onChange={setConditions} words={{ yes: "It would pass", no: "It would not pass" }} />
        {!readonly && filter !== null && (
          <button type="button" className="quiet" onClick={() => set(null)}>
            Remove the filter
          </button>
        )}
      </div>
      <MappingPanel />
    </div>
  );
}

/** The if-else and the place of the branch to whose first module a wire leads; null for any other wire. */
function branchAt(document: FlowDocument, to: number): string | null {
  const found = find(document, to);
  return found?.owner.kind === "branch" && found.index === 0 ? `${found.owner.of} ${found.owner.index}` : null;
}
