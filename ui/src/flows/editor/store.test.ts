import { describe, expect, it } from "vitest";

import type { FlowDocument } from "./document";
import { insertAfter, newModule, remove, setDesigner } from "./edits";
import { createEditor } from "./store";

const FLOW: FlowDocument = { flow: [newModule(1, "loopwright:Manual"), newModule(2, "http:ActionSendData", 3)] };
const opened = () => createEditor({ flow: "f", document: FLOW, revision: "1" });
const ids = (document: FlowDocument) => document.flow.map(({ id }) => id);

describe("the editor's state", () => {
  it("undoes and does again", () => {
    const store = opened();
    const { edit, undo, redo } = store.getState();
    edit("Add a module", (document) => insertAfter(document, 1, newModule(3, "json:ParseJSON")));
    edit("Remove HTTP", (document) => remove(document, 2));
    expect(ids(store.getState().document)).toEqual([1, 3]);
    undo();
    expect(ids(store.getState().document)).toEqual([1, 3, 2]);
    undo();
    expect(store.getState().document).toBe(FLOW);
    expect(store.getState()).toMatchObject({ canUndo: false, canRedo: true, saving: "stored", spoken: "Undone: Add a module" });
    redo();
    redo();
    expect(ids(store.getState().document)).toEqual([1, 3]);
  });

  it("joins what belongs together, and nothing else", () => {
    const store = opened();
    const { edit, undo, select } = store.getState();
    const name = (text: string) => edit("Name", (document) => setDesigner(document, 2, { name: text }), "name 2");
    name("a");
    name("ab");
    select(null);
    name("abc");
    undo();
    expect(store.getState().document.flow[1]!.metadata?.designer?.name).toBe("ab");
    undo();
    expect(store.getState().document).toBe(FLOW);
  });

  it("forgets a selection of what is gone", () => {
    const store = opened();
    store.getState().select({ kind: "module", id: 2 });
    store.getState().edit("Remove", (document) => remove(document, 2));
    expect(store.getState().selection).toBeNull();
    expect(store.getState().picked.size).toBe(0);
  });

  it("knows what is stored while one goes on writing", () => {
    const store = opened();
    const { edit, hasStored } = store.getState();
    edit("Remove", (document) => remove(document, 2));
    const sent = store.getState().document;
    edit("Remove", (document) => remove(document, 1));
    hasStored(sent, "2");
    expect(store.getState()).toMatchObject({ revision: "2", saving: "unsaved" });
  });

  it("settles a conflict so that one's own can be had back", () => {
    const store = opened();
    const { edit, conflicts, settle, undo } = store.getState();
    edit("Remove", (document) => remove(document, 2));
    const mine = store.getState().document;
    const theirs = { revision: "9", document: { flow: [newModule(1, "x:Y")] }, changedBy: "kim", changedAt: null };
    conflicts(theirs);
    edit("More", (document) => setDesigner(document, 1, { x: 1 }));
    expect(store.getState().saving).toBe("conflict");
    settle(theirs, theirs.document, "Take theirs");
    expect(store.getState()).toMatchObject({ revision: "9", saving: "stored", theirs: null });
    undo();
    undo();
    expect(store.getState().document).toBe(mine);
    expect(store.getState().saving).toBe("unsaved");
  });
});
