// The state of one open flow. Its document changes by `edit` alone, so that
// every change can be undone, is stored, and is drawn once.

import { createContext, createElement, useContext, type ReactNode } from "react";
import { createStore, useStore, type StoreApi } from "zustand";

import type { FlowDocument } from "./document";
import { find } from "./edits";
import { back, forth, NOTHING, remembered, type History } from "./history";
import type { Owner } from "./tree";
import type { Done, EditorState, ModuleKind, Sample, Selection } from "./types";

/** What the check says of the document. */
export interface Notice {
  severity: "error" | "warning" | string;
  module: number | null;
  field: string | null;
  text: string;
}

/** What somebody else has stored meanwhile. */
export interface Theirs {
  revision: string;
  document: FlowDocument;
  changedBy: string | null;
  changedAt: string | null;
}

/** Where a module that is being chosen will go. */
export type Place =
  | { kind: "start" }
  | { kind: "after"; id: number }
  | { kind: "wire"; to: number }
  | { kind: "end"; owner: Owner }
  | { kind: "error"; of: number }
  | { kind: "loose"; x: number; y: number };

/** A question that lies over the canvas: which module, or how to start. */
export interface Asking {
  place: Place;
  /** On the screen. */
  at: { x: number; y: number };
}

/** All that canvas, panel and toolbar read. */
export interface Editor extends EditorState {
  /** The document as it was last stored: what both sides of a conflict began with. */
  stored: FlowDocument;
  history: History;
  /** Modules that are picked together; the selected one is among them. */
  picked: ReadonlySet<number>;
  notices: Notice[];
  theirs: Theirs | null;
  /** Whether the document may be changed here. */
  readonly: boolean;
  /** What was done last, for a screen reader. */
  spoken: string;
  /** Whether the panel at the right is open for what is selected. */
  open: boolean;
  /** How often somebody asked for the panel who wants to go on in it. */
  entered: number;
  asking: Asking | null;
  /** A wire is being drawn: every module shows where it can end. */
  connecting: boolean;
  setConnecting: (connecting: boolean) => void;
  ask: (asking: Asking | null) => void;
  pick: (ids: Iterable<number>) => void;
  setOpen: (open: boolean) => void;
  /** Opens the panel, and goes there. */
  enter: () => void;
  setDone: (done: Record<number, Done>) => void;
  setSamples: (samples: Record<number, Sample>) => void;
  setKinds: (kinds: Map<string, ModuleKind>) => void;
  setNotices: (notices: Notice[]) => void;
  speak: (words: string) => void;
  /** The storing began, or failed for a reason that passes. */
  setSaving: (saving: EditorState["saving"]) => void;
  /** The document, as it then was, is stored under this revision. */
  hasStored: (document: FlowDocument, revision: string) => void;
  /** Somebody else has stored another one. */
  conflicts: (theirs: Theirs) => void;
  /** Goes on from theirs: with this document, which is theirs or both together. */
  settle: (theirs: Theirs, document: FlowDocument, words: string) => void;
}

export interface Opened {
  flow: string;
  document: FlowDocument;
  revision: string | null;
  kinds?: Map<string, ModuleKind>;
  samples?: Record<number, Sample>;
  history?: History;
  /** What is stored, where it is not the document itself. */
  stored?: FlowDocument;
  readonly?: boolean;
}

export type EditorStore = StoreApi<Editor>;

/** Makes the state of a flow that was opened. */
export function createEditor(opened: Opened): EditorStore {
  const { flow, document, revision, kinds = new Map(), samples = {}, history = NOTHING, readonly = false } = opened;
  const stored = opened.stored ?? document;
  let joining: string | null = null;
  return createStore<Editor>((set, get) => {
    const stepped = (step: ReturnType<typeof back>, word: string) => {
      if (step === null || get().readonly) return;
      const [next, after, words] = step;
      joining = null;
      set({ ...changed(get(), next, after), spoken: `${word}: ${words}` });
    };
    return {
      flow,
      document,
      revision,
      stored,
      history,
      kinds,
      samples,
      readonly,
      selection: null,
      picked: new Set<number>(),
      done: {},
      notices: [],
      theirs: null,
      open: false,
      entered: 0,
      asking: null,
      connecting: false,
      spoken: "",
      saving: stored === document ? "stored" : "unsaved",
      canUndo: history.past.length > 0,
      canRedo: history.future.length > 0,
      edit: (words, change, joins) => {
        const state = get();
        if (state.readonly) return;
        const next = change(state.document);
        if (next === state.document) return;
        const joined = joins !== undefined && joins === joining;
        joining = joins ?? null;
        set(changed(state, next, remembered(state.history, { words, document: state.document }, joined)));
      },
      undo: () => stepped(back(get().history, get().document), "Undone"),
      redo: () => stepped(forth(get().history, get().document), "Done again"),
      select: (selection) => {
        joining = null;
        const picked = new Set(selection?.kind === "module" ? [selection.id] : []);
        set({ selection, picked });
      },
      pick: (ids) => {
        const picked = new Set(ids);
        const [only] = picked;
        const selection: Selection = picked.size === 1 && only !== undefined ? { kind: "module", id: only } : null;
        set({ picked, selection, ...(picked.size === 1 ? {} : { open: false }) });
      },
      setOpen: (open) => set({ open }),
      enter: () => set(({ entered }) => ({ open: true, entered: entered + 1 })),
      setConnecting: (connecting) => set({ connecting }),
      ask: (asking) => set({ asking }),
      setDone: (done) => set({ done }),
      setSamples: (next) => set({ samples: next }),
      setKinds: (next) => set({ kinds: next }),
      setNotices: (notices) => set({ notices }),
      speak: (spoken) => set({ spoken }),
      setSaving: (saving) => set({ saving }),
      hasStored: (what, next) =>
        set((state) => ({ stored: what, revision: next, saving: state.document === what ? "stored" : "unsaved", theirs: null })),
      conflicts: (theirs) => set({ saving: "conflict", theirs }),
      settle: (theirs, next, words) => {
        const state = get();
        joining = null;
        const after = remembered(state.history, { words, document: state.document }, false);
        const same = next === theirs.document;
        set({ ...changed(state, next, after), stored: theirs.document, revision: theirs.revision, theirs: null, saving: same ? "stored" : "unsaved" });
      },
    };
  });
}

/** What follows from another document: a selection of what is gone is none. */
function changed(state: Editor, document: FlowDocument, history: History): Partial<Editor> {
  const there = (id: number) => find(document, id) !== null;
  const { selection } = state;
  const kept = selection === null || there(selection.kind === "module" ? selection.id : selection.to);
  return {
    document,
    history,
    canUndo: history.past.length > 0,
    canRedo: history.future.length > 0,
    saving: state.saving === "conflict" ? "conflict" : document === state.stored ? "stored" : "unsaved",
    ...(kept ? {} : { selection: null, open: false }),
    ...([...state.picked].every(there) ? {} : { picked: new Set([...state.picked].filter(there)) }),
  };
}

const EditorContext = createContext<EditorStore | null>(null);

export function EditorProvider({ store, children }: { store: EditorStore; children: ReactNode }) {
  return createElement(EditorContext.Provider, { value: store }, children);
}

/** The state itself, for those who act on it without being drawn anew. */
export function useEditorStore(): EditorStore {
  const store = useContext(EditorContext);
  if (store === null) throw new Error("there is no open flow here");
  return store;
}

/** A part of the state; who asks is drawn anew when that part changes. */
export function useEditor<Part>(part: (editor: Editor) => Part): Part {
  return useStore(useEditorStore(), part);
}
