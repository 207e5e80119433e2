// The draft stores itself: a moment after the last change, one request at a
// time. What cannot be stored now is kept in the browser and tried again.

import { useEffect } from "react";

import { warn } from "../../kit/toasts";
import { FlowChanged, storeDocument } from "../api";
import { keep } from "./history";
import type { EditorStore } from "./store";

const REST_MS = 800;
const AGAIN_MS = 8000;

/** What is under way: a second request beside it would be about a revision that is gone. */
const underWay = new WeakMap<EditorStore, Promise<boolean>>();

/** Stores now, after what is under way; nothing where nothing changed. */
export async function storeNow(store: EditorStore): Promise<boolean> {
  const before = underWay.get(store);
  if (before !== undefined) {
    await before;
    return storeNow(store);
  }
  const { document, stored, readonly, saving } = store.getState();
  if (readonly || saving === "conflict") return false;
  if (document === stored) return true;
  const turn = storeOnce(store).finally(() => underWay.delete(store));
  underWay.set(store, turn);
  return turn;
}

async function storeOnce(store: EditorStore): Promise<boolean> {
  const { document, flow, revision } = store.getState();
  store.getState().setSaving("storing");
  try {
    const answer = await storeDocument(flow, document, revision);
    store.getState().hasStored(document, answer.revision);
    store.getState().setNotices(answer.notices ?? []);
    return true;
  } catch (error) {
    if (error instanceof FlowChanged) store.getState().conflicts(error.theirs);
    else {
      store.getState().setSaving("unsaved");
      warn(error);
    }
    return false;
  }
}

/** Waits until everything is stored; false where it cannot be. */
export async function storeAll(store: EditorStore): Promise<boolean> {
  while (store.getState().document !== store.getState().stored) {
    if (!(await storeNow(store))) return false;
  }
  return store.getState().saving !== "conflict";
}

export function useSaving(store: EditorStore): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    let failed: unknown = null;
    const later = (ms: number) => {
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(() => {
        timer = null;
        const before = store.getState().document;
        void storeNow(store).then((is) => {
          failed = is ? null : before;
          if (store.getState().saving === "unsaved") later(is ? REST_MS : AGAIN_MS);
        });
      }, ms);
    };
    const remember = () => {
      const { flow, revision, document, stored, history } = store.getState();
      void keep({ flow, revision, document, stored, past: history.past, future: history.future });
    };
    const stop = store.subscribe((now, before) => {
      if (now.document !== before.document && now.saving === "unsaved" && failed !== now.document) later(REST_MS);
      if (now.document !== before.document || now.revision !== before.revision) remember();
    });
    if (store.getState().saving === "unsaved") later(REST_MS);
    // Leaving the page does not wait for the pause.
    const leaving = (event: BeforeUnloadEvent) => {
      if (store.getState().saving === "stored") return;
      void storeNow(store);
      if (store.getState().saving !== "stored") event.preventDefault();
    };
    window.addEventListener("beforeunload", leaving);
    return () => {
      stop();
      window.removeEventListener("beforeunload", leaving);
      if (timer !== null) clearTimeout(timer);
      void storeNow(store);
    };
  }, [store]);
}
