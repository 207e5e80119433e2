import { describe, expect, it } from "vitest";

import type { Source } from "./outputs";
import { itemsOf } from "./outputs";
import { meaning, valueAt, type Scope } from "./scope";
import { expressions } from "./template";

const bundle = { statusCode: 200, data: { run_id: 2n ** 60n }, lines: [{ sku: "B-2" }, { sku: "A-1" }], "Order ID": "7" };
const source = (id: number, more: Partial<Source>): Source => ({ id, name: `Step ${id}`, colour: "#123456", real: false, pasted: false, alone: true, items: [], ...more });
const items = itemsOf(bundle, "2");
items[0]!.label = "Status code";
const scope: Scope = { sources: [source(2, { real: true, bundle, items }), source(1, {})], variables: { region: "EU" } };

const meant = (path: string) => {
  const { kind, label, trail, value } = meaning(expressions(`{{${path}}}`)[0]!.references[0]!, scope);
  return [kind, label, trail, value];
};

describe("a path in a field", () => {
  it("has a label, where it comes from, and its last value", () => {
    expect(meant("2.statusCode")).toEqual(["value", "Status code", "Step 2 › Status code", 200]);
    expect(meant("2.data.run_id")).toEqual(["value", "run_id", "Step 2 › data › run_id", 2n ** 60n]);
    expect(meant("2.`Order ID`")).toEqual(["value", "Order ID", "Step 2 › Order ID", "7"]);
  });

  it("says which item of a list it is of", () => {
    expect(meant("2.lines[2].sku")).toEqual(["value", "lines[2] › sku", "Step 2 › lines › [2] › sku", "A-1"]);
    expect(meant("2.lines[].sku").at(3)).toBe("B-2");
    expect(meant("2.lines[-1].sku").at(3)).toBe("A-1");
    expect(meant("2.lines[]").at(3)).toBe(bundle.lines);
  });

  it("may have no value yet, or lead to a module that does not come before", () => {
    expect(meant("1.x").slice(0, 2)).toEqual(["unseen", "x"]);
    expect(meant("2.gone").slice(0, 2)).toEqual(["unseen", "gone"]);
    expect(meant("9.x").slice(0, 2)).toEqual(["lost", "x"]);
    expect(meant("`9`").slice(0, 2)).toEqual(["lost", "Module 9"]);
  });

  it("may be a variable of the flow, or a name", () => {
    expect(meant("var.flow.region")).toEqual(["value", "region", "var.flow.region", "EU"]);
    expect(meant("now").slice(0, 2)).toEqual(["name", "now"]);
  });

  it("leads nowhere through what is no collection, and not to what all objects have", () => {
    expect(valueAt({ a: "text" }, [{ name: "a" }, { name: "length" }])).toBeUndefined();
    expect(valueAt({}, [{ name: "toString" }])).toBeUndefined();
  });
});
