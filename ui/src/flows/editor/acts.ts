// What a person does on the canvas, as one change each with words for it, so
// that undo and a screen reader can say what happened.

import { drawnAt, layout, makeRoom, settled } from "./layout";
import {
  append,
  connect,
  copied,
  disconnect,
  find,
  freeId,
  insertAfter,
  insertFirst,
  insertOnWire,
  modules,
  newModule,
  paste,
  removeAll,
  ROUTER,
  setPositions,
  shifted,
  orphans,
} from "./edits";
import { nameOf } from "./graph";
import { withOrphans } from "./tree";
import type { FlowDocument, ModuleNode } from "./document";
import type { Editor, EditorStore, Place } from "./store";
import type { ModuleKind } from "./types";
import { readJson, writeJson } from "../../api/exact";

/** The name of a module, as it is drawn. */
export function called(editor: Editor, module: ModuleNode): string {
  return nameOf(module, editor.kinds.get(module.module)?.label);
}

/** Puts a module where it was asked for, selects it and opens its settings. */
export function add(store: EditorStore, place: Place, kind: Pick<ModuleKind, "name" | "label" | "versions">): void {
  const { document, edit, select, setOpen, enter, speak } = store.getState();
  const id = freeId(document);
  const module = newModule(id, kind.name, kind.versions.at(-1));
  edit(`Add ${kind.label}`, (before) => makeRoom(put(settled(before), place, module), id));
  if (place.kind === "loose") edit(`Add ${kind.label}`, (now) => setPositions(now, new Map([[id, place]])));
  select({ kind: "module", id });
  if (kind.name === ROUTER) setOpen(false);
  else enter();
  speak(`Added ${kind.label}`);
}

function put(document: FlowDocument, place: Place, module: ModuleNode): FlowDocument {
  switch (place.kind) {
    case "start":
      return insertFirst(document, module);
    case "after":
      return insertAfter(document, place.id, module);
    case "wire":
      return insertOnWire(document, place.to, module);
    case "end":
      return append(document, place.owner, module);
    case "error":
      return append(document, { kind: "onerror", of: place.of }, module);
    case "loose":
      return document.flow.length === 0 ? insertFirst(document, module) : withOrphans(document, [...orphans(document), [module]]);
  }
}

/** Removes what is picked, or cuts the wire that is selected. */
export function removePicked(store: EditorStore): void {
  const { selection, picked, edit, document, speak } = store.getState();
  if (selection?.kind === "wire") {
    cut(store, selection.to);
    return;
  }
  if (picked.size === 0) return;
  const words = saidOf(store.getState(), document, picked);
  edit(`Remove ${words}`, (before) => removeAll(settled(before), picked));
  speak(`Removed ${words}`);
}

export function cut(store: EditorStore, to: number): void {
  const { edit, document, speak } = store.getState();
  const found = find(document, to);
  if (found === null) return;
  const words = called(store.getState(), found.module);
  edit(`Disconnect ${words}`, (before) => disconnect(settled(before), to));
  speak(`Disconnected ${words}`);
}

export function join(store: EditorStore, from: number, to: number): void {
  store.getState().edit("Connect modules", (before) => {
    const after = connect(settled(before), from, to);
    // A router that came in between needs a place.
    const fresh = freeId(before);
    return find(after, fresh) === null ? after : makeRoom(after, fresh);
  });
}

function saidOf(editor: Editor, document: FlowDocument, ids: ReadonlySet<number>): string {
  if (ids.size > 1) return `${ids.size} modules`;
  const [id] = ids;
  const found = id === undefined ? null : find(document, id);
  return found === null ? "nothing" : called(editor, found.module);
}

/** The picked modules as the format keeps copied ones. */
export function clipboardText(store: EditorStore): string | null {
  const { document, picked } = store.getState();
  const pieces = copied(document, picked);
  if (pieces.length === 0) return null;
  return writeJson({ subflows: pieces.map((flow) => ({ flow })), metadata: { version: 1 } }, 2);
}

/** Reads copied modules, or a whole blueprint; nothing where a text is neither. */
export function piecesOf(text: string): ModuleNode[][] | null {
  let read: unknown;
  try {
    read = readJson(text);
  } catch {
    return null;
  }
  const outside = read as { subflows?: { flow?: ModuleNode[] }[]; flow?: ModuleNode[]; blueprint?: unknown; response?: { blueprint?: unknown } } | null;
  if (outside === null || typeof outside !== "object") return null;
  const nested = outside.response?.blueprint ?? outside.blueprint;
  if (nested !== undefined) return piecesOf(typeof nested === "string" ? nested : writeJson(nested));
  if (Array.isArray(outside.subflows)) return valid(outside.subflows.map((piece) => piece.flow ?? []));
  if (Array.isArray(outside.flow)) return valid([outside.flow, ...orphans(outside as FlowDocument)]);
  return null;
}

function valid(pieces: ModuleNode[][]): ModuleNode[][] | null {
  const filled = pieces.filter((piece) => piece.length > 0);
  const fit = filled.every((piece) => piece.every((module) => typeof module?.id === "number" && typeof module.module === "string"));
  return filled.length > 0 && fit ? filled : null;
}

/** Puts modules in behind the selected one; says how many came. */
export function pasteText(store: EditorStore, text: string): number {
  const pieces = piecesOf(text);
  if (pieces === null) return 0;
  const { document, selection, edit, pick, speak } = store.getState();
  const after = selection?.kind === "module" ? selection.id : null;
  const count = paste(document, pieces, after)[1].length;
  let ids: number[] = [];
  edit(`Paste ${count} ${count === 1 ? "module" : "modules"}`, (before) => {
    const [next, fresh] = paste(settled(before), after === null ? shifted(pieces, 60) : bare(pieces), after);
    ids = fresh;
    return after === null ? next : fresh.reduce((now, id) => (find(now, id)?.owner.kind === "orphan" ? now : makeRoom(now, id)), next);
  });
  pick(ids);
  speak(`Pasted ${count}`);
  return count;
}

/** Without places: what goes behind another module is placed there. */
function bare(pieces: ModuleNode[][]): ModuleNode[][] {
  const [first = [], ...others] = pieces;
  const unplaced = first.map((module) => {
    if (drawnAt(module) === null) return module;
    const { x: _x, y: _y, ...designer } = module.metadata!.designer!;
    return { ...module, metadata: { ...module.metadata, designer } };
  });
  return [unplaced, ...shifted(others, 60)];
}

export function duplicate(store: EditorStore): void {
  const text = clipboardText(store);
  if (text !== null) pasteText(store, text);
}

/** Lays everything out anew. */
export function align(store: EditorStore): void {
  const { edit, speak } = store.getState();
  edit("Align", (document) => setPositions(document, layout(document)));
  speak("Aligned");
}

export function selectAll(store: EditorStore): void {
  const { document, pick } = store.getState();
  pick(modules(document).map(({ id }) => id));
}
