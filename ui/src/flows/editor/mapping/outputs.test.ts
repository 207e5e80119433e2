import { describe, expect, it } from "vitest";

import type { FlowDocument } from "../document";
import { namings, outputsOf } from "./known";
import { inALine, itemsAt, itemsOfAll, matching, sourcesFor } from "./outputs";

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

  it("is every place of a list, or all of them at once", () => {
    const [source] = sourcesFor(FLOW, 3, new Map(), { 1: sample({ lines: [{ sku: "A" }, { sku: "B", note: "x" }] }) });
    const [lines] = source!.items;
    expect(itemsAt(lines!, 2).map(({ path, value }) => [path, value])).toEqual([["1.lines[2].sku", "B"], ["1.lines[2].note", "x"]]);
    expect(itemsAt(lines!, 3)).toEqual([]);
    expect(itemsOfAll(lines!)).toMatchObject([{ path: 'map(1.lines; "sku")', value: ["A", "B"] }]);
  });

  it("is known before a first run where somebody has said it", () => {
    const known = new Map([[1, outputsOf([{ name: "Order ID", type: "text" }, { name: "lines", type: "array", spec: [{ name: "sku", type: "text" }] }])]]);
    const [source] = sourcesFor(FLOW, 3, new Map([["http:ActionSendData", { kind: "effect", outputs: [] } as never]]), {}, false, known);
    expect(source!.items.map(({ path }) => path)).toEqual(["1.`Order ID`", "1.lines"]);
    expect(source!.items[1]!.inside[0]!.path).toBe("1.lines[1].sku");
    const flow = { flow: [{ id: 4, module: "gateway:CustomWebHook", parameters: { hook: "new orders" } }, { id: 5, module: "json:ParseJSON", parameters: { type: "order" } }, { id: 6, module: "json:CreateJSON", parameters: { type: "order" } }] };
    expect(namings(flow)).toEqual(["4 hook new orders", "5 structure order"]);
  });

  it("is what is repeated, too, at the end of a repetition", () => {
    const flow = { flow: [{ id: 1, module: "a:b" }, { id: 2, module: "loopwright:RepeatUntil", flow: [{ id: 3, module: "a:b" }] }] };
    const samples = { 1: sample({ a: 1 }), 3: sample({ a: 3 }) };
    expect(sourcesFor(flow, 2, new Map(), samples).map(({ id }) => id)).toEqual([1]);
    expect(sourcesFor(flow, 2, new Map(), samples, true).map(({ id }) => id)).toEqual([3, 1]);
  });

  it("is cut to a line", () => {
    expect(inALine({ a: "x".repeat(99) })).toHaveLength(60);
  });
});
