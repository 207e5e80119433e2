import { expect, it } from "vitest";

import { otherwiseWords, standingOf } from "./words";

it("says how a task stands", () => {
  expect(standingOf({ state: "open", decision: null })).toEqual(["Open", "busy"]);
  expect(standingOf({ state: "answered", decision: "approved" })).toEqual(["Approved", "good"]);
  expect(standingOf({ state: "withdrawn", decision: null })).toEqual(["Withdrawn", "plain"]);
  expect(otherwiseWords("fail")).toBe("the run fails");
});
