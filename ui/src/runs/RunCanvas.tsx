// The flow of a run on the editor's canvas, read-only, with the bubbles of the
// moment that is looked at.

import { useEffect, useState } from "react";
import { ReactFlowProvider } from "@xyflow/react";

import { Canvas } from "../flows/editor/Canvas";
import type { FlowDocument } from "../flows/editor/document";
import { createEditor, EditorProvider } from "../flows/editor/store";
import type { Done, ModuleKind } from "../flows/editor/types";
import "../flows/flows.css";
import "../flows/editor/editor.css";

interface Props {
  flow: string;
  document: FlowDocument;
  kinds: Map<string, ModuleKind>;
  done: Record<number, Done>;
  /** The module of the operation that is looked at. */
  module: number | null;
  onModule: (module: number) => void;
}

export function RunCanvas({ flow, document, kinds, done, module, onModule }: Props) {
  const [store] = useState(() => createEditor({ flow, document, revision: null, kinds, readonly: true }));
  useEffect(() => store.getState().setKinds(kinds), [store, kinds]);
  useEffect(() => store.getState().setDone(done), [store, done]);
  useEffect(() => {
    const { selection, select } = store.getState();
    const now = selection?.kind === "module" ? selection.id : null;
    if (module !== null && now !== module) select({ kind: "module", id: module });
  }, [store, module]);
  useEffect(
    () =>
      store.subscribe((now, before) => {
        if (now.selection !== before.selection && now.selection?.kind === "module") onModule(now.selection.id);
      }),
    [store, onModule],
  );
  return (
    <EditorProvider store={store}>
      <ReactFlowProvider>
        <Canvas />
      </ReactFlowProvider>
    </EditorProvider>
  );
}
