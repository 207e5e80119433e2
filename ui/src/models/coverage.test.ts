import { expect, it } from "vitest";

import { withCoverage } from "./coverage";

it("adds the shares up", () => {
  expect(withCoverage([{ share: 0.5 }, { share: 0.25 }, { share: 0.5 }]).map(({ covered }) => covered)).toEqual([0.5, 0.75, 1]);
});
