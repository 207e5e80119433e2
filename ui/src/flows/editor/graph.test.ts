import { describe, expect, it } from "vitest";

import type { FlowDocument, ModuleNode } from "./document";
import { IF_ELSE, insertAfter, insertOnWire, MERGE, REPEAT_UNTIL, ROUTER } from "./edits";
import { graphOf, neighbour } from "./graph";
import { layout, makeRoom, positions } from "./layout";

const m = (id: number, rest: Partial<ModuleNode> = {}): ModuleNode => ({ id, module: "util:SetVariable2", ...rest });
const filter = (name: string) => ({ name, conditions: [[{ a: "{{1.x}}", o: "exist" }]] });
const FLOW: FlowDocument = {
  flow: [
    m(1, { onerror: [m(2)] }),
    m(3, { module: REPEAT_UNTIL, flow: [m(4), m(5)] }),
    m(6, { module: IF_ELSE, branches: [{ label: "big", merge: true, flow: [m(7)] }, { type: "else", merge: true, flow: [] }] }),
    m(8, { module: MERGE }),
    m(9, { module: ROUTER, parameters: { else: 1 }, routes: [{ flow: [m(10, { filter: filter("Success") })] }, { flow: [] }] }),
  ],
  metadata: { designer: { orphans: [[m(11), m(12)]] } },
};

describe("what is drawn", () => {
  it("has a wire to everything that is connected", () => {
    const wires = graphOf(FLOW).wires.map(({ from, to, kind, label, fallback }) =>
      [`${from}>${to}`, kind === "plain" ? "" : kind, label ?? "", fallback ? "fallback" : ""].filter((word) => word !== "").join(" "),
    );
    expect(wires.sort()).toEqual(
      [
        "1>2 error",
        "1>3",
        "3>4 loop",
        "4>5",
        "5>6",
        "6>7 big",
        "6>end-6-branch-1 else fallback",
        "6>8 back",
        "7>8 back",
        "8>9",
        "9>10 Success",
        "9>end-9-route-1 fallback",
        "11>12",
      ].sort(),
    );
  });

  it("is nowhere twice", () => {
    for (const all of [layout(FLOW), positions(FLOW)]) {
      const points = [...all.values()].map(({ x, y }) => `${x},${y}`);
      expect(new Set(points).size).toBe(points.length);
      expect(all.size).toBe(12);
    }
  });

  it("keeps the order of routes", () => {
    const routes = [1, 2, 3].map((id) => ({ flow: [m(id)] }));
    const at = layout({ flow: [m(9, { module: ROUTER, routes })] });
    expect([1, 2, 3].map((id) => at.get(id)!.y)).toEqual([-150, 0, 150]);
  });

  it("makes room for what is put in", () => {
    const line: FlowDocument = { flow: [1, 2, 3].map((id) => m(id, { metadata: { designer: { x: id * 200, y: 0 } } })) };
    const x = (document: FlowDocument) => document.flow.map((module) => module.metadata!.designer!.x);
    expect(x(makeRoom(insertAfter(line, 1, m(4)), 4))).toEqual([200, 380, 560, 760]);
    expect(x(makeRoom(insertAfter(line, 3, m(4)), 4))).toEqual([200, 400, 600, 780]);
    expect(x(makeRoom(insertOnWire(line, 3, m(4)), 4))).toEqual([200, 400, 580, 760]);
  });

  it("lets arrow keys follow the wires", () => {
    const graph = graphOf(FLOW);
    expect(neighbour(graph, 1, "ArrowRight")).toBe(3);
    expect(neighbour(graph, 8, "ArrowRight")).toBe(9);
    expect(neighbour(graph, 3, "ArrowLeft")).toBe(1);
    expect(neighbour(graph, 1, "ArrowDown")).toBe(2);
  });
});
