import { describe, expect, it } from "vitest";

import type { FlowDocument, ModuleNode } from "./document";
import { addRoute, find, insertAfter, modules, moveAfter, remove, ROUTER, setDesigner, update } from "./edits";
import { changes, contested, merged } from "./merge";

const m = (id: number, rest: Partial<ModuleNode> = {}): ModuleNode => ({ id, module: "util:SetVariable2", mapper: {}, ...rest });
const BASE: FlowDocument = {
  name: "One flow",
  flow: [m(1), m(2), m(3), m(4, { module: ROUTER, routes: [{ flow: [m(5)] }, { flow: [m(6)] }] })],
};
const set = (document: FlowDocument, id: number, value: string) => update(document, id, (module) => ({ ...module, mapper: { value } }));
const told = (before: FlowDocument, after: FlowDocument) =>
  changes(before, after).map(({ module, setting, what, fields }) => [module ?? setting, what, ...fields].join(" "));
const ids = (document: FlowDocument) => modules(document).map(({ id }) => id);
const value = (document: FlowDocument, id: number) => (find(document, id)!.module.mapper as { value?: string }).value;

describe("two people on one flow", () => {
  it("tells what became of each module", () => {
    expect(told(BASE, set(BASE, 2, "a"))).toEqual(["2 changed mapper.value"]);
    expect(told(BASE, insertAfter(BASE, 1, m(9)))).toEqual(["9 added"]);
    expect(told(BASE, remove(BASE, 2))).toEqual(["2 removed"]);
    expect(told(BASE, moveAfter(BASE, 2, 5))).toEqual(["2 moved"]);
    expect(told(BASE, { ...BASE, name: "Other" })).toEqual(["name changed name"]);
    expect(told(BASE, setDesigner(BASE, 2, { x: 9, y: 9 }))).toEqual([]);
    expect(told(BASE, addRoute(BASE, 4))).toEqual(["4 changed routes"]);
  });

  it("keeps both where they are about different things", () => {
    const mine = setDesigner(set(insertAfter(BASE, 5, m(7)), 2, "mine"), 3, { x: 5, y: 5 });
    const theirs = { ...remove(set(BASE, 3, "theirs"), 6), name: "Theirs" };
    expect(contested(BASE, mine, theirs)).toEqual([]);
    const both = merged(BASE, mine, theirs, () => "mine");
    expect([value(both, 2), value(both, 3), both.name]).toEqual(["mine", "theirs", "Theirs"]);
    expect(ids(both)).toEqual([1, 2, 3, 4, 5, 7]);
    expect(find(both, 3)!.module.metadata!.designer!.x).toBe(5);
  });

  it("lets a person choose where they are about the same", () => {
    const [mine, theirs] = [set(BASE, 2, "mine"), set(BASE, 2, "theirs")];
    expect(contested(BASE, mine, theirs)).toEqual(["2"]);
    expect(value(merged(BASE, mine, theirs, () => "mine"), 2)).toBe("mine");
    expect(value(merged(BASE, mine, theirs, () => "theirs"), 2)).toBe("theirs");
    expect(contested(BASE, mine, mine)).toEqual([]);
  });

  it("brings back what they removed and I changed", () => {
    const both = merged(BASE, set(BASE, 2, "mine"), remove(BASE, 2), () => "mine");
    expect(ids(both)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(value(both, 2)).toBe("mine");
  });

  it("keeps two new modules that have the same number", () => {
    const mine = insertAfter(insertAfter(BASE, 1, m(7, { mapper: { value: "mine" } })), 3, m(8, { mapper: { value: "{{7.value}}" } }));
    const theirs = insertAfter(BASE, 2, m(7, { mapper: { value: "theirs" } }));
    const both = merged(BASE, mine, theirs, () => "mine");
    expect(ids(both)).toEqual([1, 9, 2, 7, 3, 8, 4, 5, 6]);
    expect([value(both, 9), value(both, 7), value(both, 8)]).toEqual(["mine", "theirs", "{{9.value}}"]);
  });

  it("loses nothing when I move what they put something into", () => {
    const both = merged(BASE, remove(BASE, 4), insertAfter(BASE, 5, m(7)), () => "mine");
    expect([...ids(both)].sort()).toEqual([1, 2, 3, 5, 6, 7]);
    const moved = merged(BASE, moveAfter(BASE, 4, 1), insertAfter(BASE, 5, m(7)), () => "mine");
    expect([...ids(moved)].sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });
});
