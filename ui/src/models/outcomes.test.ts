import { expect, it } from "vitest";

import { endingWords, outcomesSentence, tookWords } from "./outcomes";

const leftBy = { chain: 0, rows: 0, time: 0, catchUp: 0 };
const episodes = { entered: 0, found: 0, left: 0, leftBy, madeRoom: 0, redefined: 0, setBack: 0, stillThere: 0 };
const actedOn = { episodes: 0, succeeded: 0, warning: 0, failed: 0, underWay: 0, cancelled: 0, tooLate: 0, medianUntilRun: null, completeFrom: null };

it("says what became of the cases", () => {
  expect(outcomesSentence({ episodes, actedOn })).toBe("No case has satisfied the trigger yet.");
  expect(outcomesSentence({ episodes: { ...episodes, found: 1, stillThere: 1 }, actedOn })).toBe("1 case: none was acted on, 0 went away, 1 is still there.");
  const many = { ...episodes, entered: 12, left: 9, leftBy: { ...leftBy, chain: 7, rows: 2 }, stillThere: 3 };
  expect(outcomesSentence({ episodes: many, actedOn: { ...actedOn, episodes: 8 } })).toBe(
    "12 cases: 8 were acted on, 9 went away, 7 of them because of what a flow did, 3 are still there.",
  );
});

it("says nothing of what was not seen", () => {
  expect(tookWords(null)).toBe("–");
  expect(tookWords(7_200_000)).toBe("2 h 00 min");
  expect(endingWords(null)).toBe("Still there");
  expect(endingWords("chain")).toContain("The loop closed");
});
