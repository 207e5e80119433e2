import { describe, expect, it } from "vitest";

import type { Outline } from "./api";
import { begun, filled, misfits, type FormSchema } from "./form";
import { doneUpTo, extentOf, moved, spanOf } from "./totals";
import { causeOf, judgementWords, operatorWords } from "./words";

const operation = (number: number, module: number, status: Outline["status"], second: number, statusCode: number | null = null): Outline => ({
  number,
  module,
  path: "",
  status,
  statusCode,
  startedAt: new Date(second * 1000).toISOString(),
  endedAt: new Date((second + 1) * 1000).toISOString(),
});

const RUN = [operation(1, 1, "success", 0), operation(2, 2, "error", 1, 401), operation(3, 2, "success", 2, 200), operation(4, 3, "filtered", 3)];

describe("bubbles", () => {
  it("count up to the position and keep the worst", () => {
    expect(doneUpTo(RUN, 1)).toEqual({ 1: { operations: 1, status: "success", statusCode: null } });
    expect(doneUpTo(RUN, 3)[2]).toEqual({ operations: 2, status: "error", statusCode: 401 });
  });
  it("are empty where a filter stopped all, and turn while something is in flight", () => {
    expect(doneUpTo(RUN, 4)[3]).toEqual({ operations: 0, status: "success", statusCode: null });
    expect(doneUpTo(RUN, 4, { module: 1 })[1]).toEqual({ operations: 1, status: "running", statusCode: null });
    expect(doneUpTo(RUN, 4, { module: 1 }, true)[1]?.status).toBe("held");
    expect(doneUpTo(RUN, 3, { module: 1 })[1]?.status).toBe("success");
  });
});

describe("the time of a run", () => {
  it("places operations between its begin and end", () => {
    const [begin, end] = extentOf(RUN);
    expect([begin, end]).toEqual([0, 4000]);
    expect(spanOf(RUN[1]!, begin, end)).toEqual({ from: 0.25, width: 0.25 });
    expect(spanOf(RUN[1]!, 5000, 5000).width).toBeGreaterThan(0);
  });
  it("keeps the position on the slider", () => {
    expect([moved(0, -1, 4), moved(2, 1, 4), moved(4, 10, 4)]).toEqual([0, 3, 4]);
  });
});

describe("why a filter decided", () => {
  it("says what was compared with what", () => {
    const judgement = { passes: false, any: [[{ left: 401, operator: "number:equal", right: 200, holds: false }]] };
    expect(judgementWords(judgement)).toBe("Did not pass, because this does not hold: 401 is equal to 200");
  });
  it("names the conditions that let it pass", () => {
    const holds = { left: "DONE", operator: "text:equal:ci", right: "done", holds: true };
    expect(judgementWords({ passes: true, any: [[{ ...holds, holds: false }], [holds]] })).toBe(
      "Passed: “DONE” is equal to (in whatever case) “done”",
    );
    expect(judgementWords({ passes: false, any: [[{ operator: "exist", holds: false }]] })).toBe("Did not pass, because this does not hold: nothing exists");
  });
  it("leaves an operator that it does not know as it is", () => {
    expect(operatorWords("odd:thing")).toBe("odd:thing");
  });
});

describe("causes", () => {
  it("name a signal and lead to its model", () => {
    expect(causeOf("p2p.late/LONG_WAIT/14%2F48")).toEqual({ name: "Signal LONG_WAIT for 14/48 of p2p.late", to: "/models/p2p.late" });
  });
});

describe("the form", () => {
  const schema: FormSchema = {
    required: ["order"],
    properties: { order: { type: "string" }, days: { type: "integer", default: 5 }, urgent: { type: "boolean" }, action: { oneOf: [{ const: "wait" }] } },
  };
  it("begins with the defaults and leaves out what is empty", () => {
    expect(begun(schema)).toEqual({ order: "", days: "5", urgent: "", action: "" });
    expect(filled(schema, { order: "17", days: "7", urgent: "true", action: '"wait"' })).toEqual({
      input: { order: "17", days: 7, urgent: true, action: "wait" },
    });
    expect(filled(schema, { order: "", days: "x" })).toEqual({ wrong: { order: "Fill this in.", days: "This is not a number." } });
  });
  it("brings the server's words to the fields", () => {
    const said = 'the input of flow "f" does not fit: "order" is missing: it must be a text; "days" does not fit: "x" is not a number; something else';
    expect(misfits(said, ["order", "days"])).toEqual({
      fields: { order: "Is missing: it must be a text", days: 'Does not fit: "x" is not a number' },
      rest: "something else",
    });
  });
});
