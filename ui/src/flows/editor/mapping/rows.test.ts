import { describe, expect, it } from "vitest";

import { itemsOf } from "./outputs";
import { ALL, rowsOf, stepAt, type Folding } from "./rows";

const ITEMS = itemsOf({ order: "4711", customer: { name: "Ann", city: "Köln" }, lines: [{ sku: "B-2" }, { sku: "A-1", note: "x" }] }, "1");
const folding = (unfolded: string[], places: [string, string][] = [], open = false): Folding => ({ open, unfolded: new Set(unfolded), places: new Map(places) });
const paths = (of: Folding) => rowsOf(ITEMS, of).map(({ path }) => path);

describe("the tree of values", () => {
  it("shows what is unfolded, or all of it while somebody searches", () => {
    expect(paths(folding([]))).toEqual(["1.order", "1.customer", "1.lines"]);
    expect(paths(folding(["1.customer"]))).toEqual(["1.order", "1.customer", "1.customer.name", "1.customer.city", "1.lines"]);
    expect(paths(folding([], [], true))).toHaveLength(6);
  });

  it("shows the place of a list that was chosen", () => {
    expect(paths(folding(["1.lines"], [["1.lines", "2"]])).slice(-2)).toEqual(["1.lines[2].sku", "1.lines[2].note"]);
    expect(paths(folding(["1.lines"], [["1.lines", ALL]])).slice(-1)).toEqual(['map(1.lines; "sku")']);
  });

  it.each([
    ["1.order", "ArrowDown", { to: "1.customer" }],
    ["1.order", "ArrowUp", null],
    ["1.order", "ArrowRight", null],
    ["1.order", "End", { to: "1.lines" }],
    ["1.lines", "ArrowDown", null],
    ["1.lines", "ArrowRight", { unfold: "1.lines" }],
    ["1.lines", "Home", { to: "1.order" }],
    ["1.customer", "ArrowRight", { to: "1.customer.name" }],
    ["1.customer", "ArrowLeft", { fold: "1.customer" }],
    ["1.customer.city", "ArrowLeft", { to: "1.customer" }],
    ["1.customer.city", "ArrowRight", null],
    ["1.customer.city", "x", null],
    ["1.gone", "ArrowDown", null],
  ])("at %s answers %s", (at, key, step) => {
    expect(stepAt(rowsOf(ITEMS, folding(["1.customer"])), at, key, false)).toEqual(step);
  });

  it("is not folded while somebody searches", () => {
    const rows = rowsOf(ITEMS, folding([], [], true));
    expect(stepAt(rows, "1.customer", "ArrowLeft", true)).toBeNull();
    expect(stepAt(rows, "1.customer.name", "ArrowLeft", true)).toEqual({ to: "1.customer" });
  });
});
