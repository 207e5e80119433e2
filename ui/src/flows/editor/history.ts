// What was before, and what was undone: kept per flow in the browser, so that
// undo works after a reload too. Documents share their unchanged parts, and the
// browser's database keeps that when it stores them together.

import type { FlowDocument } from "./document";

/** A document and what the change that led away from it was for. */
export interface Moment {
  words: string;
  document: FlowDocument;
}

export interface History {
  past: Moment[];
  future: Moment[];
}

/** What is kept of a flow. */
export interface Kept extends History {
  flow: string;
  revision: string | null;
  document: FlowDocument;
  /** What stood under the revision: another document than the one above has changes that are not stored yet. */
  stored: FlowDocument;
}

const LENGTH_MAX = 60;

export const NOTHING: History = { past: [], future: [] };

/** Remembers a document before it changes. Changes with the same `joins` in a row are one step. */
export function remembered(history: History, moment: Moment, joined: boolean): History {
  if (joined && history.past.length > 0) return { past: history.past, future: [] };
  return { past: [...history.past, moment].slice(-LENGTH_MAX), future: [] };
}

/** Goes one step back: the document that was, and the history from there. */
export function back(history: History, now: FlowDocument): [FlowDocument, History, string] | null {
  const last = history.past.at(-1);
  if (last === undefined) return null;
  const future = [...history.future, { words: last.words, document: now }];
  return [last.document, { past: history.past.slice(0, -1), future }, last.words];
}

/** Goes one step forth again. */
export function forth(history: History, now: FlowDocument): [FlowDocument, History, string] | null {
  const next = history.future.at(-1);
  if (next === undefined) return null;
  const past = [...history.past, { words: next.words, document: now }];
  return [next.document, { past, future: history.future.slice(0, -1) }, next.words];
}

const DATABASE = "loopwright-editor";
const STORE = "histories";

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "flow" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's database does not open"));
  });
}

/** What was kept of a flow; nothing where the browser keeps nothing. */
export async function recall(flow: string): Promise<Kept | null> {
  try {
    const database = await opened();
    const request = database.transaction(STORE).objectStore(STORE).get(flow);
    const kept = await new Promise<Kept | undefined>((resolve) => {
      request.onsuccess = () => resolve(request.result as Kept | undefined);
      request.onerror = () => resolve(undefined);
    });
    database.close();
    return kept?.stored === undefined ? null : kept;
  } catch {
    return null;
  }
}

/** Keeps it. That the browser cannot is no reason to stop anybody's work. */
export async function keep(kept: Kept): Promise<void> {
  try {
    const database = await opened();
    const change = database.transaction(STORE, "readwrite");
    change.objectStore(STORE).put(kept);
    change.oncomplete = () => database.close();
    change.onabort = () => database.close();
  } catch {
    // Undo then lasts until the page is closed.
  }
}

/** Forgets all flows: who signs out leaves nothing behind. */
export function forgetAll(): void {
  if (typeof indexedDB !== "undefined") indexedDB.deleteDatabase(DATABASE);
}
