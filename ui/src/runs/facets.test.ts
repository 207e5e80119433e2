import { expect, it } from "vitest";

import { askedFor, facetsOf, toggled } from "./facets";

it("reads an address and leaves out what it does not know", () => {
  expect(facetsOf("?flow=a&status=error,odd,held&startedBy=nobody&since=1d&text=17")).toEqual({
    flow: "a",
    statuses: ["error", "held"],
    startedBy: "",
    since: "1d",
    text: "17",
  });
});

it("asks for what is said and nothing else", () => {
  expect(askedFor(facetsOf(""), 0)).toEqual({});
  expect(askedFor(facetsOf("?status=error,held&since=1h&text=%20x%20"), 7_200_000)).toEqual({
    status: "error,held",
    text: "x",
    from: "1970-01-01T01:00:00.000Z",
  });
});

it("keeps the statuses in the order of a run's life", () => {
  expect(toggled(["error"], "running")).toBe("running,error");
  expect(toggled(["error", "held"], "held")).toBe("error");
});
