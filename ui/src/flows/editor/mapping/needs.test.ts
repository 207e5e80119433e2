import { describe, expect, it } from "vitest";

import { foundFunctions } from "./language";
import type { Source } from "./outputs";
import { needsOf } from "./needs";
import { bundleOf } from "./pasted";
import { joined } from "./samples";

const source = (id: number, bundle?: unknown): Source => {
  const made = { id, name: `Step ${id}`, colour: "#123456", real: bundle !== undefined, pasted: false, alone: true, items: [] };
  return bundle === undefined ? made : { ...made, bundle };
};
const scope = { sources: [source(1, { a: 1 }), source(2), source(3, { c: 3 })], variables: {} };

describe("a template that is tried", () => {
  it("takes only the bundles that it names", () => {
    expect(needsOf("{{1.a}} {{if(2.b; 1; 2)}} {{9.z}}", scope)).toMatchObject({ bundles: { 1: { a: 1 } }, unseen: [{ id: 2 }], sound: true });
    expect(needsOf("plain } text", scope)).toBeNull();
    expect(needsOf("{{1.a}} {{ }}", scope)).toBeNull();
  });

  it("is not sound while it is half written", () => {
    for (const text of ["{{1.a", "{{if(1.a}}", '{{"}}', "{{1.a ? 2}}"]) expect(needsOf(text, scope)?.sound, text).toBe(false);
  });
});

describe("a pasted sample", () => {
  const real = { 1: { bundles: [{ x: 1 }], input: {}, run: "r", at: "2026-02-02T10:00:00Z" } };
  it("counts until the module runs", () => {
    const pasted = (at: string) => ({ 1: { bundle: { x: 2 }, at } });
    expect(joined(real, pasted("2026-02-02T11:00:00Z"))[1]).toMatchObject({ bundles: [{ x: 2 }], pasted: true });
    expect(joined(real, pasted("2026-02-02T09:00:00Z"))[1]).toBe(real[1]);
    expect(joined({}, pasted("2026-02-02T09:00:00Z"))[1]).toMatchObject({ pasted: true });
  });

  it("is a collection, or the last of several", () => {
    expect(bundleOf({ a: 1 })).toEqual({ a: 1 });
    expect(bundleOf([{ a: 1 }, { a: 2 }])).toEqual({ a: 2 });
    for (const wrong of ["text", 1, null, [], [[1]]]) expect(typeof bundleOf(wrong)).toBe("string");
  });
});

describe("functions", () => {
  const one = (name: string, group: string, summary: string) => ({ name, group, summary, signature: `${name}()`, examples: [] });
  const all = [one("upper", "text", "Makes letters capital"), one("round", "math", "The nearest number"), one("trim", "text", "Without blanks around")];
  it("are found by name first, then by what they do, in their groups", () => {
    const names = (words: string) => foundFunctions(all, words).map(([group, functions]) => [group, ...functions.map(({ name }) => name)].join(" "));
    expect(names("")).toEqual(["math round", "text upper trim"]);
    expect(names("ROUND")).toEqual(["math round", "text trim"]);
    expect(names("xyz")).toEqual([]);
  });
});
