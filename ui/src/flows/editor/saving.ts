// The draft stores itself: a moment after the last change, one request at a
// time. What cannot be stored now is kept in the browser and tried again.

import { useEffect } from "react";

import { warn } from "../../kit/toasts";
import { FlowChanged, storeDocument } from "../api";
import { keep } from "./history";
import type { EditorStore } from "./store";

const REST_MS = 800;
const AGAIN_MS = 8000;

/** Stores now; nothing where nothing changed. */
export async function storeNow(store: EditorStore): Promise<boolean> {
  const { document, stored, flow, revision, saving, readonly } = store.getState();
  if (readonly || saving === "storing" || saving === "conflict") return false;
  if (document === stored) return true;
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
  for (let turn = 0; turn < 50; turn += 1) {
    const { saving } = store.getState();
    if (saving === "stored") return true;
    if (saving === "conflict") return false;
    if (saving === "storing") await new Promise((wake) => setTimeout(wake, 100));
    else if (!(await storeNow(store))) return false;
  }
  return false;
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
