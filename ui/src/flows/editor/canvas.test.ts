import { describe, expect, it } from "vitest";

import { filled, keyOf } from "../newFlow";
import { add, clipboardText, pasteText, piecesOf, removePicked } from "./acts";
import { newModule } from "./edits";
import { back, forth, NOTHING, remembered } from "./history";
import { positions, settled } from "./layout";
import { matching } from "./matching";
import { addNote, noteAt, notesOf, removeNote, setNote } from "./notes";
import { scheduleWords, startedBy, STARTS } from "./starts";
import { createEditor } from "./store";
import type { ModuleKind } from "./types";

const kind = (name: string, appName: string, label: string, words: string[] = []): ModuleKind => ({
  name,
  appName,
  label,
  words,
  app: name.split(":")[0]!,
  versions: [1],
  colour: "#000",
  description: label,
  kind: "action",
  schema: {},
  icon: "",
  outputs: [],
});
const KINDS = [
  kind("http:ActionGetFile", "HTTP", "Get a file"),
  kind("http:ActionSendData", "HTTP", "Make a request", ["http", "post"]),
  kind("http:MakeRequest", "HTTP", "Make a request"),
  kind("util:SetVariables", "Tools", "Set multiple variables"),
  kind("util:SetVariable2", "Tools", "Set variable"),
  kind("builtin:BasicRouter", "Flow control", "Router"),
  kind("databricks:RunJob", "Databricks", "Run a job"),
];

describe("the search for a module", () => {
  const cases: [string, string][] = [
    ["HTTP", "http:ActionSendData"],
    ["request", "http:ActionSendData"],
    ["post", "http:ActionSendData"],
    ["set variable", "util:SetVariable2"],
    ["multiple", "util:SetVariables"],
    ["rout", "builtin:BasicRouter"],
    ["databricks job", "databricks:RunJob"],
    ["get file", "http:ActionGetFile"],
  ];
  it.each(cases)("%s", (text, first) => expect(matching(KINDS, text)[0]?.name).toBe(first));
  it("finds nothing for what is none", () => expect(matching(KINDS, "xylophone")).toEqual([]));
});

describe("a schedule in words", () => {
  const cases: [Record<string, unknown> | undefined, string][] = [
    [undefined, "On demand"],
    [{ type: "indefinitely", interval: 900 }, "Every 15 minutes"],
    [{ type: "indefinitely", interval: 3600 }, "Every hour"],
    [{ type: "indefinitely", interval: 100 }, "Every 100 seconds"],
    [{ type: "daily", time: "06:00" }, "Every day at 06:00"],
    [{ type: "weekly", days: [1, 5], time: "08:30" }, "Monday, Friday at 08:30"],
    [{ type: "cron", cron: "*/10 8-17 * * MON-FRI" }, "*/10 8-17 * * MON-FRI"],
    [{ type: "immediately" }, "Immediately"],
  ];
  it.each(cases)("%j", (scheduling, words) => expect(scheduleWords(scheduling)).toBe(words));
});

describe("how a flow starts", () => {
  it.each(STARTS)("$name", (start) => {
    const document = startedBy({ flow: [] }, start);
    expect(document.flow.map(({ module }) => module)).toEqual(start.module === null ? [] : [start.module]);
    expect(document.scheduling === undefined).toBe(start.module !== null);
  });
});

describe("hands on the canvas", () => {
  const opened = () => createEditor({ flow: "f", document: { flow: [newModule(1, "loopwright:Manual")] }, revision: "1" });

  it("adds, copies, pastes and removes", () => {
    const store = opened();
    add(store, { kind: "after", id: 1 }, KINDS[1]!);
    expect(store.getState()).toMatchObject({ selection: { kind: "module", id: 2 }, open: true });
    const text = clipboardText(store)!;
    expect(JSON.parse(text)).toMatchObject({ subflows: [{ flow: [{ id: 2 }] }], metadata: { version: 1 } });
    expect(pasteText(store, text)).toBe(1);
    expect(store.getState().document.flow.map(({ id }) => id)).toEqual([1, 2, 3]);
    const at = [...positions(store.getState().document).values()].map(({ x, y }) => `${x} ${y}`);
    expect(new Set(at).size).toBe(3);
    removePicked(store);
    expect(store.getState().document.flow.map(({ id }) => id)).toEqual([1, 2]);
    store.getState().undo();
    expect(store.getState().document.flow.map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  it("reads what others put on the clipboard", () => {
    const flow = [newModule(7, "json:ParseJSON")];
    expect(piecesOf(JSON.stringify({ flow }))).toEqual([flow]);
    expect(piecesOf(JSON.stringify({ response: { blueprint: { flow } } }))).toEqual([flow]);
    expect(piecesOf(JSON.stringify({ blueprint: JSON.stringify({ flow }) }))).toEqual([flow]);
    expect(piecesOf(JSON.stringify({ subflows: [{ flow }, { flow: [] }] }))).toEqual([flow]);
    for (const other of ["", "hello", "null", "[]", "{}", '{"flow":[]}', '{"flow":["x"]}']) expect(piecesOf(other)).toBeNull();
  });

  it("lets what was never placed stay where it is seen", () => {
    const { document } = opened().getState();
    const fixed = settled(document);
    expect(positions(fixed)).toEqual(positions(document));
    expect(settled(fixed)).toBe(fixed);
  });
});

describe("notes", () => {
  it("are kept beside the flow", () => {
    let document = addNote({ flow: [], metadata: { version: 1 } }, [4], { x: 1.4, y: 2 });
    document = setNote(document, 0, { content: "Ask Mia" });
    expect(document.metadata).toMatchObject({ version: 1, notes: [{ moduleIds: [4], content: "Ask Mia", designer: { x: 1, y: 2 } }] });
    expect(noteAt({ moduleIds: [4], content: "" }, 0, new Map([[4, { x: 100, y: 100 }]]))).toEqual({ x: 40, y: -60 });
    expect(notesOf(removeNote(document, 0))).toEqual([]);
  });
});

describe("the history", () => {
  it("goes back and forth, and forgets what was undone when something new is done", () => {
    const [a, b, c] = [{ flow: [], name: "a" }, { flow: [], name: "b" }, { flow: [], name: "c" }];
    const history = remembered(remembered(NOTHING, { words: "1", document: a }, false), { words: "2", document: b }, false);
    const [now, before, words] = back(history, c)!;
    expect([now, words]).toEqual([b, "2"]);
    expect(forth(before, b)![0]).toBe(c);
    expect(remembered(before, { words: "3", document: b }, false).future).toEqual([]);
    expect(back(NOTHING, a)).toBeNull();
  });
});

describe("a new flow", () => {
  it("gets a key as addresses have it", () => {
    expect(keyOf("Score a late order!")).toBe("score-a-late-order");
    expect(keyOf("  Überfällige Aufträge ")).toBe("uberfallige-auftrage");
  });

  it("fills a template in the types of its form", () => {
    const form = { properties: { job: { type: "integer" }, columns: { type: "array" }, name: { type: "string" }, left: { type: "string" } } };
    expect(filled(form, { job: "12", columns: "a, b,", name: " x ", left: " " })).toEqual({ job: 12, columns: ["a", "b"], name: "x" });
  });
});
