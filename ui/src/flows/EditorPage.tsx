// A flow, opened: its canvas, its panel, its bars.

import { useEffect, useMemo, useRef, useState } from "react";
import { Link, useParams } from "wouter";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ReactFlowProvider } from "@xyflow/react";

import { ApiError } from "../api/client";
import { useMay } from "../api/status";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { say } from "../kit/toasts";
import { listModules, readDocument, readFlow, readSamples, type DocumentShown, type FlowWithTexts } from "./api";
import { Canvas } from "./editor/Canvas";
import { Chooser, StartChooser } from "./editor/Chooser";
import { find, REPEAT_UNTIL } from "./editor/edits";
import { Conflict } from "./editor/Conflict";
import { FlowSearch } from "./editor/FlowSearch";
import { recall, type Kept } from "./editor/history";
import { same } from "./editor/merge";
import { ScopeOf } from "./editor/mapping/scoped";
import { FilterPanel, ModulePanel } from "./editor/panel";
import { useSaving } from "./editor/saving";
import { createEditor, EditorProvider, useEditor, useEditorStore, type EditorStore } from "./editor/store";
import { Toolbar } from "./editor/Toolbar";
import type { ModuleKind, Sample } from "./editor/types";
import { FlowHead } from "./FlowHead";
import "./flows.css";
import "./editor/editor.css";

export default function EditorPage() {
  const { flow } = useParams<{ flow: string }>();
  return <Loaded key={flow} flow={flow!} />;
}

function Loaded({ flow }: { flow: string }) {
  const about = useQuery({ queryKey: ["flow", flow], queryFn: () => readFlow(flow) });
  const document = useQuery({ queryKey: ["flow", flow, "document"], queryFn: () => readDocument(flow), refetchOnWindowFocus: true });
  const kinds = useQuery({ queryKey: ["modules"], queryFn: listModules, staleTime: Infinity });
  const samples = useQuery({ queryKey: ["flow", flow, "samples"], queryFn: () => readSamples(flow) });
  const may = useMay();
  const [kept, setKept] = useState<Kept | null | undefined>(undefined);
  useEffect(() => void recall(flow).then(setKept), [flow]);

  const error = about.error ?? document.error ?? kinds.error;
  if (error !== null && (about.data === undefined || document.data === undefined || kinds.data === undefined)) {
    const gone = error instanceof ApiError && error.status === 404;
    return (
      <Page title={flow} above={[{ name: "Flows", to: "/flows" }]}>
        {gone ? (
          <Empty title="There is no such flow">
            <p>
              It may have been removed or renamed. <Link href="/flows">See all flows</Link>.
            </p>
          </Empty>
        ) : (
          <Problem
            error={error}
            onRetry={() => {
              void about.refetch();
              void document.refetch();
              void kinds.refetch();
            }}
          />
        )}
      </Page>
    );
  }
  if (about.data === undefined || document.data === undefined || kinds.data === undefined || kept === undefined || may === undefined) {
    return <p className="muted page">Loading …</p>;
  }
  return <Open about={about.data} shown={document.data} kinds={kinds.data} samples={samples.data} kept={may.editFlows ? kept : null} readonly={!may.editFlows} />;
}

interface OpenProps {
  about: FlowWithTexts;
  shown: DocumentShown;
  kinds: ModuleKind[];
  samples: Record<number, Sample> | undefined;
  kept: Kept | null;
  /** Whoever may not change flows looks at them. */
  readonly: boolean;
}

function Open({ about, shown, kinds, samples, kept, readonly }: OpenProps) {
  const byName = useMemo(() => new Map(kinds.map((kind) => [kind.name, kind])), [kinds]);
  // The state begins with what was read first; what is read later flows into it below.
  const [store] = useState(() => begun(about, shown, byName, kept, readonly));
  useSaving(store);
  useOthers(store, shown);
  useEffect(() => store.getState().setKinds(byName), [store, byName]);
  useEffect(() => {
    if (samples !== undefined) store.getState().setSamples(samples);
  }, [store, samples]);
  useEffect(() => {
    window.document.title = `${about.name} · Loopwright`;
  }, [about.name]);
  useSelectionInAddress(store);
  return (
    <EditorProvider store={store}>
      <ReactFlowProvider>
        <section className="editor" aria-labelledby="page-title">
          <FlowHead flow={about} />
          <div className="editor-middle">
            <div className="editor-canvas">
              <Canvas />
              <Blank />
              <FlowSearch />
              <Toolbar flow={about} />
            </div>
            <Side />
          </div>
          <Chooser />
          <Conflict />
          <Spoken />
        </section>
      </ReactFlowProvider>
    </EditorProvider>
  );
}

/**
 * What this browser kept goes on: its history, and changes that never arrived.
 * What others stored since then comes on top, or is a conflict if both changed.
 */
function begun(about: FlowWithTexts, shown: DocumentShown, kinds: Map<string, ModuleKind>, kept: Kept | null, readonly: boolean): EditorStore {
  const { key: flow } = about;
  const store = createEditor(
    kept === null
      ? { flow, document: shown.document, revision: shown.revision, kinds, readonly }
      : {
          flow,
          document: kept.document,
          // The very same object says that nothing is unstored.
          stored: same(kept.document, kept.stored) ? kept.document : kept.stored,
          revision: kept.revision,
          kinds,
          history: { past: kept.past, future: kept.future },
        },
  );
  store.getState().setNotices(about.notices ?? []);
  return store;
}

/** What somebody else stored is taken over at once where nothing of one's own is under way. */
function useOthers(store: EditorStore, shown: DocumentShown): void {
  useEffect(() => {
    const { revision, saving, settle } = store.getState();
    if (shown.revision === revision || saving !== "stored") return;
    settle({ ...shown }, shown.document, `Changes by ${shown.changedBy ?? "somebody else"}`);
    say(`${shown.changedBy ?? "Somebody else"} changed this flow. You see it as it is now.`);
  }, [store, shown]);
  // What this page stored itself is known already.
  const queries = useQueryClient();
  useEffect(
    () =>
      store.subscribe((now, before) => {
        if (now.revision === before.revision) return;
        const { flow, stored, revision } = now;
        const queryKey = ["flow", flow, "document"];
        // An answer that is still on its way may be of before, and would look like somebody's change.
        void queries.cancelQueries({ queryKey }).then(() => {
          if (store.getState().revision !== revision) return;
          queries.setQueryData<DocumentShown>(queryKey, (old) => (old === undefined || revision === null ? old : { ...old, document: stored, revision }));
          void queries.invalidateQueries({ queryKey: ["flow", flow], exact: true });
          void queries.invalidateQueries({ queryKey });
        });
      }),
    [store, queries],
  );
}

/** What is selected stands in the address: `module=5`, or `wire=5` for the one that leads there. */
function useSelectionInAddress(store: EditorStore): void {
  useEffect(() => {
    const query = new URLSearchParams(location.search);
    const given = (name: string) => (/^\d+$/.test(query.get(name) ?? "") ? Number(query.get(name)) : null);
    const [module, wire] = [given("module"), given("wire")];
    const { document, select, setOpen } = store.getState();
    const id = module ?? wire;
    if (id !== null && find(document, id) !== null) {
      select(module !== null ? { kind: "module", id } : { kind: "wire", to: id });
      setOpen(true);
    }
    return store.subscribe((now, before) => {
      if (now.selection === before.selection) return;
      const next = new URLSearchParams(location.search);
      next.delete("module");
      next.delete("wire");
      if (now.selection?.kind === "module") next.set("module", String(now.selection.id));
      if (now.selection?.kind === "wire") next.set("wire", String(now.selection.to));
      const text = next.toString();
      history.replaceState(history.state, "", text === "" ? location.pathname : `${location.pathname}?${text}`);
    });
  }, [store]);
}

function Blank() {
  const blank = useEditor((editor) => editor.document.flow.length === 0 && editor.document.scheduling === undefined);
  const readonly = useEditor((editor) => editor.readonly);
  if (!blank) return null;
  return <div className="blank">{readonly ? <p className="muted">This flow has no modules yet.</p> : <StartChooser />}</div>;
}

/** The panel at the right: of the module or the wire that is selected. */
function Side() {
  const open = useEditor((editor) => editor.open);
  const selection = useEditor((editor) => editor.selection);
  // Where it ends is asked behind what it repeats.
  const repeats = useEditor((editor) => selection?.kind === "module" && find(editor.document, selection.id)?.module.module === REPEAT_UNTIL);
  const aside = useRef<HTMLElement>(null);
  const entered = useEditor((editor) => editor.entered);
  useEffect(() => {
    if (entered > 0) aside.current?.querySelector<HTMLElement>(".panel-body input:not(:disabled)")?.focus();
  }, [entered]);
  const store = useEditorStore();
  if (!open || selection === null) return null;
  const leave = () => {
    store.getState().setOpen(false);
    const end = selection.kind === "module" ? `.react-flow__node[data-id="${selection.id}"]` : `.react-flow__edge[data-id$=">${selection.to}"]`;
    window.document.querySelector<HTMLElement>(end)?.focus({ preventScroll: true });
  };
  const Panel = selection.kind === "module" ? ModulePanel : FilterPanel;
  const id = selection.kind === "module" ? selection.id : selection.to;
  return (
    <aside
      ref={aside}
      className="editor-side"
      aria-label={selection.kind === "module" ? "Settings of the module" : "Filter on the wire"}
      onKeyDown={(event) => {
        // A list of what may be written next closes first, and so does a dialog above.
        if (event.key !== "Escape" || event.defaultPrevented || (event.target as Element).closest("dialog, [role=listbox]") !== null) return;
        event.preventDefault();
        leave();
      }}
    >
      <ScopeOf module={id} inside={selection.kind === "module" && repeats}>
        <Panel key={selection.kind === "module" ? selection.id : `to ${selection.to}`} />
      </ScopeOf>
    </aside>
  );
}

function Spoken() {
  const words = useEditor((editor) => editor.spoken);
  return (
    <p className="unseen" role="status">
      {words}
    </p>
  );
}
