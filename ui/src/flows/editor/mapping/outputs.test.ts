import { describe, expect, it } from "vitest";

import type { FlowDocument } from "../document";
import { inALine, matching, sourcesFor } from "./outputs";

const FLOW: FlowDocument = {
  flow: [
    { id: 1, module: "http:ActionSendData" },
    {
      id: 2,
      module: "builtin:BasicRouter",
      routes: [{ flow: [{ id: 3, module: "util:ComposeTransformer" }, { id: 4, module: "http:ActionSendData" }] }, { flow: [{ id: 5, module: "x:y" }] }],
    },
  ],
};
const sample = (bundle: unknown) => ({ bundles: [bundle], input: {}, run: "r", at: "2026-01-01T00:00:00Z" });

describe("what can be mapped", () => {
  it("is what lies before on the same way, the nearest first", () => {
    const samples = { 1: sample({ statusCode: 200, data: { run_id: 7 } }), 3: sample({ value: "a" }), 5: sample({ no: 1 }) };
    const sources = sourcesFor(FLOW, 4, new Map(), samples);
    expect(sources.map((source) => source.id)).toEqual([3, 1]);
    expect(sources[1]!.items[1]!.inside[0]).toMatchObject({ path: "1.data.run_id", kind: "number", value: 7 });
  });

  it("writes lists from one, and names with blanks in back-ticks", () => {
    const [source] = sourcesFor(FLOW, 3, new Map(), { 1: sample({ "Order ID": 1, lines: [{ sku: "A" }] }) });
    expect(source!.items[0]!.path).toBe("1.`Order ID`");
    expect(source!.items[1]!.inside[0]!.path).toBe("1.lines[1].sku");
  });

  it("is found by words, with what lies above", () => {
    const [source] = sourcesFor(FLOW, 3, new Map(), { 1: sample({ data: { run_id: 7, state: "x" } }) });
    expect(matching(source!.items, "RUN").map((item) => item.inside.map((inner) => inner.label))).toEqual([["run_id"]]);
  });

  it("is cut to a line", () => {
    expect(inALine({ a: "x".repeat(99) })).toHaveLength(60);
  });
});
