import { describe, expect, it } from "vitest";

import { bare, expressionAt, expressions, modulesIn, written } from "./template";

const references = (text: string) => expressions(text).flatMap((mapped) => mapped.references.map(({ from, to, root, path }) => [text.slice(from, to), root, path]));

describe("a template", () => {
  it("is plain text with expressions in it", () => {
    const text = "Order {{1.id}} is {{ 2.state }}.";
    expect(expressions(text).map(({ from, to, closed, whole }) => [text.slice(from, to), closed, whole !== null])).toEqual([
      ["{{1.id}}", true, true],
      ["{{ 2.state }}", true, true],
    ]);
  });

  it("names values by paths", () => {
    expect(references("{{1.data.run_id}}{{1.`Data Pool ID`.x}}{{`1`}}{{var.flow.x}}{{now}}")).toEqual([
      ["1.data.run_id", 1, [{ name: "data" }, { name: "run_id" }]],
      ["1.`Data Pool ID`.x", 1, [{ name: "Data Pool ID" }, { name: "x" }]],
      ["`1`", 1, []],
      ["var.flow.x", "var", [{ name: "flow" }, { name: "x" }]],
      ["now", "now", []],
    ]);
    expect(references("{{2.a[].b[1].c[-1]}}")[0]![2]).toEqual([{ name: "a" }, { index: null }, { name: "b" }, { index: 1 }, { name: "c" }, { index: -1 }]);
  });

  it("names values inside calls, and not what stands in texts", () => {
    const text = '{{if(1.amount > 10.5; "{{2.x}}"; upper(3.y))}} {{4.z}}';
    expect(references(text).map(([said]) => said)).toEqual(["1.amount", "3.y", "4.z"]);
    const [first] = expressions(text);
    expect(first!.calls.map(({ from, to }) => text.slice(from, to))).toEqual(["if", "upper"]);
    expect(first!.brackets.map(({ open, close }) => [text[open], text[close!]])).toEqual([
      ["(", ")"],
      ["(", ")"],
    ]);
    expect(first!.whole).toBeNull();
  });

  it("is read while it is half written", () => {
    for (const text of ["{{", "{{1.", "{{1.a", "{{if(", '{{"', "{{`a", "{{}}", "{{}", "{{{1.a}}}", "{{1..a}}", "{{ü ß € 😀 \ud800}}"]) {
      const [first] = expressions(text);
      expect(first!.from).toBe(0);
      expect(first!.to).toBeLessThanOrEqual(text.length);
    }
    expect(expressions("{{if(1.a")[0]!.brackets).toEqual([{ open: 4, close: null }]);
  });

  it("is written into where the cursor is", () => {
    const mapped = expressions("a {{1.x}} b {{");
    expect([0, 2, 3, 4, 7, 8, 9, 14].map((at) => expressionAt(mapped, at)?.from ?? null)).toEqual([null, null, null, 2, 2, null, null, 12]);
  });

  it("takes a part with braces, or without them inside an expression", () => {
    expect(written({ kind: "value", path: "1.x" }, false)).toEqual({ text: "{{1.x}}", cursor: 7 });
    expect(written({ kind: "value", path: "1.x" }, true)).toEqual({ text: "1.x", cursor: 3 });
    expect(written({ kind: "function", name: "upper" }, false)).toEqual({ text: "{{upper()}}", cursor: 8 });
    expect(written({ kind: "function", name: "upper" }, true)).toEqual({ text: "upper()", cursor: 6 });
    expect(written({ kind: "word", text: "+" }, true)).toEqual({ text: " + ", cursor: 3 });
    expect(written({ kind: "word", text: "now" }, false)).toEqual({ text: "{{now}}", cursor: 7 });
  });

  it("is found anywhere in a value", () => {
    expect([...modulesIn({ url: '{{if(1.a; "x"; 2.b)}}', rows: [{ value: "{{`3`}}" }, 4, null] })]).toEqual([1, 2, 3]);
  });

  it("is bare where it is one expression", () => {
    expect(["{{1.x}}", "{{1.x}} ", "1.x", "{{1.x}}{{1.y}}"].map(bare)).toEqual(["1.x", null, null, null]);
  });
});
