import { expect, it } from "vitest";

import { allowed, lagInWords, stateInWords } from "./words";

it("says the lag", () => {
  expect([0, 1, 2, 1234].map(lagInWords)).toEqual(["up to date", "1 event waits", "2 events wait", "1,234 events wait"]);
});

it("offers what a state allows", () => {
  expect(allowed("active")).toContain("pause");
  expect(allowed("active")).not.toContain("resume");
  expect(allowed("PAUSED").slice(0, 3)).toEqual(["resume", "latest", "replay"]);
  expect(allowed("suspended")).not.toContain("replay");
  expect(stateInWords("suspended")).toBe("Suspended");
});
