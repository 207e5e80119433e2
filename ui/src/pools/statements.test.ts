import { describe, expect, it } from "vitest";

import { meant, placeOfError, quoted, statements } from "./statements";

/** `|` is the cursor, or two of them are the ends of what is marked. */
function run(marked: string): string | null {
  const from = marked.indexOf("|");
  const to = marked.lastIndexOf("|");
  const text = marked.replaceAll("|", "");
  const span = meant(text, from, to === from ? from : to - 1);
  return span === null ? null : text.slice(span.from, span.to);
}

describe("what Execute runs", () => {
  it.each([
    ['SELECT*FROM "push|CSV"', 'SELECT*FROM "pushCSV"'],
    ["SELECT 1;\nSEL|ECT 2;\nSELECT 3", "SELECT 2"],
    ["SELECT 1;|", "SELECT 1"],
    ["SELECT 1;\n\n|\n", "SELECT 1"],
    ["|\n\nSELECT 1", "SELECT 1"],
    ["SELECT ';|' AS a; SELECT 2", "SELECT ';' AS a"],
    ["SELECT 1 -- not ; the end\n, 2|; SELECT 3", "SELECT 1 -- not ; the end\n, 2"],
    ["SELECT 1; |SELECT 2|; SELECT 3", "SELECT 2"],
    ["|SELECT 1;| SELECT 2", "SELECT 1"],
    ["SELECT |1 + 1| FROM nowhere", "1 + 1"],
    ["-- nothing yet|", null],
    ["|", null],
  ])("%s", (text, wanted) => expect(run(text)).toBe(wanted));

  it("does not see statements in comments", () => {
    expect(statements("/* a; b */ SELECT 1; -- c; d")).toHaveLength(1);
  });
});

describe("where an error lies", () => {
  it.each([
    ["expected: end of statement, found: frm at Line: 2, Column: 2", "select x\n frm y", "frm"],
    ["no field named nope. Valid fields are a.b", "select nope from a", "nope"],
    ["table 'y' not found", "select by from y", "y"],
    ["something else", "select 1", null],
  ])("%s", (message, text, wanted) => {
    const span = placeOfError(message, text);
    expect(span === null ? null : text.slice(span.from, span.to)).toBe(wanted);
  });
});

it("quotes what has to be quoted", () => {
  expect([quoted("events"), quoted("PushCSV"), quoted('a"b')]).toEqual(["events", '"PushCSV"', '"a""b"']);
});
