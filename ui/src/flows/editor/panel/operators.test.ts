import { describe, expect, it } from "vitest";

import { groupsOf, isAlone } from "./operators";

const OPERATORS = [
  { id: "exist", group: "exist", words: "Exists", unary: true },
  { id: "text:equal:ci", group: "text", words: "Equal to (any case)", unary: false },
  { id: "text:isempty", group: "text", words: "Is empty", unary: true },
  { id: "number:equal", group: "number", words: "Equal to", unary: false },
];

describe("operators of filters", () => {
  it("are grouped by what both sides become, and say so", () => {
    expect(groupsOf(OPERATORS)).toEqual([
      { name: "Basic", operators: [{ id: "exist", words: "Exists" }] },
      {
        name: "Text",
        operators: [
          { id: "text:equal:ci", words: "Text: equal to (any case)" },
          { id: "text:isempty", words: "Text: is empty" },
        ],
      },
      { name: "Number", operators: [{ id: "number:equal", words: "Number: equal to" }] },
    ]);
  });

  it("may look at one side only", () => {
    expect(["exist", "text:isempty", "number:equal", "odd:one"].map((id) => isAlone(OPERATORS, id))).toEqual([true, true, false, false]);
    expect(isAlone([], "notexist")).toBe(true);
  });
});
