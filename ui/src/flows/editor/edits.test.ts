import { describe, expect, it } from "vitest";

import type { FlowDocument, ModuleNode } from "./document";
import * as edits from "./edits";
import { renumber } from "./references";

const m = (id: number, rest: Partial<ModuleNode> = {}): ModuleNode => ({ id, module: "util:SetVariable2", ...rest });

/** 1 → 2 (onerror 3) → 4 router: [5, 6] and [7 repeat (8) , 9 if-else (10 | –), 11 merge] */
const FLOW: FlowDocument = {
  name: "All kinds",
  kept: "as it is",
  flow: [
    m(1),
    m(2, { onerror: [m(3, { module: "builtin:Resume" })] }),
    m(4, {
      module: edits.ROUTER,
      parameters: { else: 1 },
      routes: [
        { flow: [m(5, { filter: { name: "Success", conditions: [] } }), m(6, { mapper: { value: "{{5.a}} {{1.b}}" } })] },
        {
          flow: [
            m(7, { module: edits.REPEAT_UNTIL, flow: [m(8)], until: { conditions: [[{ a: "{{8.i}}", o: "exist" }]] } }),
            m(9, { module: edits.IF_ELSE, branches: [{ type: "condition", merge: true, flow: [m(10)] }, { type: "else", merge: true, flow: [] }] }),
            m(11, { module: edits.MERGE }),
          ],
        },
      ],
    }),
  ],
};

const ids = (document: FlowDocument) => edits.modules(document).map(({ id }) => id);
const sorted = (list: number[]) => [...list].sort((a, b) => a - b);
/** Writes where modules are: `1 2!(3) …`. */
function shape(list: ModuleNode[]): string {
  return list
    .map((module) => {
      const ways = [...(module.routes ?? []), ...(module.branches ?? [])].map(({ flow }) => shape(flow ?? [])).join("|");
      const body = module.flow === undefined ? "" : `{${shape(module.flow)}}`;
      return `${module.id}${body}${ways === "" ? "" : `(${ways})`}${module.onerror === undefined ? "" : `!(${shape(module.onerror)})`}`;
    })
    .join(" ");
}
const text = (document: FlowDocument) => [document.flow, ...edits.orphans(document)].map(shape).join(" / ");

describe("edits", () => {
  const cases: [string, (document: FlowDocument) => FlowDocument, string][] = [
    ["insert behind", (d) => edits.insertAfter(d, 5, m(12)), "1 2!(3) 4(5 12 6|7{8} 9(10|) 11)"],
    ["insert behind a router: a route", (d) => edits.insertAfter(d, 4, m(12)), "1 2!(3) 4(5 6|7{8} 9(10|) 11|12)"],
    ["insert on a wire", (d) => edits.insertOnWire(d, 4, m(12)), "1 2!(3) 12 4(5 6|7{8} 9(10|) 11)"],
    ["insert on the wire into a route", (d) => edits.insertOnWire(d, 7, m(12)), "1 2!(3) 4(5 6|12 7{8} 9(10|) 11)"],
    ["append to a body", (d) => edits.append(d, { kind: "body", of: 7 }, m(12)), "1 2!(3) 4(5 6|7{8 12} 9(10|) 11)"],
    ["append to a branch", (d) => edits.append(d, { kind: "branch", of: 9, index: 1 }, m(12)), "1 2!(3) 4(5 6|7{8} 9(10|12) 11)"],
    ["remove in the middle", (d) => edits.remove(d, 1), "2!(3) 4(5 6|7{8} 9(10|) 11)"],
    ["remove with its error route", (d) => edits.remove(d, 2), "1 4(5 6|7{8} 9(10|) 11)"],
    ["remove the last of an error route", (d) => edits.remove(d, 3), "1 2 4(5 6|7{8} 9(10|) 11)"],
    ["remove a router: the second route lies beside", (d) => edits.remove(d, 4), "1 2!(3) 5 6 / 7{8} 9(10|) 11"],
    ["remove a repetition: its body stays", (d) => edits.remove(d, 7), "1 2!(3) 4(5 6|8 9(10|) 11)"],
    ["move behind", (d) => edits.moveAfter(d, 5, 8), "1 2!(3) 4(6|7{8 5} 9(10|) 11)"],
    ["move into itself: no", (d) => edits.moveAfter(d, 7, 8), "1 2!(3) 4(5 6|7{8} 9(10|) 11)"],
    ["cut a wire", (d) => edits.disconnect(d, 7), "1 2!(3) 4(5 6|) / 7{8} 9(10|) 11"],
    ["cut and connect again", (d) => edits.connect(edits.disconnect(d, 7), 6, 7), "1 2!(3) 4(5 6 7{8} 9(10|) 11|)"],
    ["connect to where something follows: a router", (d) => edits.connect(d, 5, 9), "1 2!(3) 4(5 12(6|9(10|) 11)|7{8})"],
    ["a circle: no", (d) => edits.connect(d, 6, 2), "1 2!(3) 4(5 6|7{8} 9(10|) 11)"],
    ["add a route", (d) => edits.addRoute(d, 4), "1 2!(3) 4(5 6|7{8} 9(10|) 11|)"],
    ["order of routes", (d) => edits.moveRoute(d, 4, 1, 0), "1 2!(3) 4(7{8} 9(10|) 11|5 6)"],
    ["remove a route", (d) => edits.removeRoute(d, 4, 0), "1 2!(3) 4(7{8} 9(10|) 11) / 5 6"],
    ["an error route", (d) => edits.setErrorRoute(d, 6, [m(12)]), "1 2!(3) 4(5 6!(12)|7{8} 9(10|) 11)"],
    ["no error route", (d) => edits.setErrorRoute(d, 2, []), "1 2 4(5 6|7{8} 9(10|) 11)"],
    ["behind an if-else, behind its merge", (d) => edits.insertAfter(d, 9, m(12)), "1 2!(3) 4(5 6|7{8} 9(10|) 11 12)"],
    ["no second else", (d) => edits.addElse(d, 9), "1 2!(3) 4(5 6|7{8} 9(10|) 11)"],
    ["an else that was taken away", (d) => edits.addElse(edits.removeBranch(d, 9, 1), 9), "1 2!(3) 4(5 6|7{8} 9(10|) 11)"],
    ["another branch, before the else", (d) => edits.addBranch(d, 9), "1 2!(3) 4(5 6|7{8} 9(10||) 11)"],
    ["order of branches", (d) => edits.moveBranch(edits.addBranch(d, 9), 9, 1, 0), "1 2!(3) 4(5 6|7{8} 9(|10|) 11)"],
    ["the else stays the last", (d) => edits.moveBranch(d, 9, 1, 0), "1 2!(3) 4(5 6|7{8} 9(10|) 11)"],
    ["paste behind", (d) => edits.paste(d, edits.copied(d, new Set([5, 6])), 8)[0], "1 2!(3) 4(5 6|7{8 12 13} 9(10|) 11)"],
    ["paste beside", (d) => edits.paste(d, edits.copied(d, new Set([7, 8, 1])), null)[0], "1 2!(3) 4(5 6|7{8} 9(10|) 11) / 12 / 13{14}"],
  ];
  it.each(cases)("%s", (_, change, expected) => {
    const before = JSON.stringify(FLOW);
    const after = change(FLOW);
    expect(text(after)).toBe(expected);
    expect(new Set(ids(after)).size).toBe(ids(after).length);
    expect(after["kept"]).toBe("as it is");
    expect(JSON.stringify(FLOW)).toBe(before);
  });

  it("loses nothing but what is removed", () => {
    for (const id of ids(FLOW)) {
      const gone = id === 2 ? [2, 3] : [id];
      expect(sorted(ids(edits.remove(FLOW, id)))).toEqual(ids(FLOW).filter((other) => !gone.includes(other)));
      expect(sorted(ids(edits.disconnect(FLOW, id)))).toEqual(ids(FLOW));
      for (const other of ids(FLOW)) {
        const connected = sorted(ids(edits.connect(FLOW, id, other)));
        expect(connected.filter((known) => known !== 12)).toEqual(ids(FLOW));
        expect(sorted(ids(edits.moveAfter(FLOW, id, other)))).toEqual(ids(FLOW));
        expect(sorted(ids(edits.moveOnWire(FLOW, id, other)))).toEqual(ids(FLOW));
      }
    }
  });

  it("keeps every part that did not change the same object", () => {
    const after = edits.setDesigner(FLOW, 6, { x: 1, y: 2 });
    expect(after.flow[1]).toBe(FLOW.flow[1]);
    expect(after.flow[2]!.routes![1]).toBe(FLOW.flow[2]!.routes![1]);
    expect(after.flow[2]!.routes![0]!.flow[0]).toBe(FLOW.flow[2]!.routes![0]!.flow[0]);
    expect(edits.setDesigner(FLOW, 99, { x: 1 })).toBe(FLOW);
  });

  it("keeps naming the same fallback route", () => {
    const of = (document: FlowDocument) => document.flow[2]!.parameters;
    expect(of(edits.moveRoute(FLOW, 4, 1, 0))).toEqual({ else: 0 });
    expect(of(edits.removeRoute(FLOW, 4, 0))).toEqual({ else: 0 });
    expect(of(edits.removeRoute(FLOW, 4, 1))).toEqual({});
  });

  it("renumbers references among what is pasted", () => {
    const [after, pasted] = edits.paste(FLOW, edits.copied(FLOW, new Set([5, 6])), 6);
    expect(pasted).toEqual([12, 13]);
    expect(edits.find(after, 13)!.module.mapper).toEqual({ value: "{{12.a}} {{1.b}}" });
    const [again] = edits.paste(FLOW, edits.copied(FLOW, new Set([7])), 6);
    expect(edits.find(again, 12)!.module.until).toEqual({ conditions: [[{ a: "{{13.i}}", o: "exist" }]] });
  });

  it("tells what comes before a module", () => {
    expect(edits.before(FLOW, 11).map(({ id }) => id)).toEqual([1, 2, 4, 7, 8, 9, 10]);
    expect(edits.before(FLOW, 3).map(({ id }) => id)).toEqual([1, 2]);
  });
});

describe("renumber", () => {
  const numbers = new Map([[5, 9], [1, 2]]);
  const cases: [string, string][] = [
    ["{{5.data.run_id}}", "{{9.data.run_id}}"],
    ["5.data {{5.data}} 5.x", "5.data {{9.data}} 5.x"],
    ["{{add(5.x; 5; 5.5; 1.`Order ID`)}}", "{{add(9.x; 5; 5.5; 2.`Order ID`)}}"],
    ['{{if(5.a = "5.a"; `5`; 15.a)}}', '{{if(9.a = "5.a"; `9`; 15.a)}}'],
    ["{{x5.a + 5.données}}", "{{x5.a + 9.données}}"],
    ["{{a.`5`}}{{7.b}}", "{{a.`5`}}{{7.b}}"],
    ["{{map(5.list; \"1.x\")[1].y}}", "{{map(9.list; \"1.x\")[1].y}}"],
  ];
  it.each(cases)("%s", (from, to) => expect(renumber(from, numbers)).toBe(to));
});
