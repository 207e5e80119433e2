import { expect, it } from "vitest";

import type { AppKey, Grant } from "./api";
import { changeInWords, changeOf, gridOf } from "./permissions";

const key = (id: string, revokedAt: string | null = null): AppKey => ({
  id,
  name: `key ${id}`,
  administrator: false,
  createdAt: "",
  createdBy: "",
  revokedAt,
});
const grant = (subject: string, permission: string): Grant => ({
  subject,
  permission,
  pool: "p",
  package: null,
  grantedAt: "",
  grantedBy: "",
});

it("has a row for each key, and for whoever else holds something", () => {
  const rows = gridOf([key("a"), key("b", "2026-01-01")], [grant("a", "data-push"), grant("b", "use-pool"), grant("c", "use-pool")]);
  expect(rows.map(({ subject, held }) => [subject, [...held]])).toEqual([
    ["a", ["data-push"]],
    ["c", ["use-pool"]],
  ]);
});

it("a tick gives what is not held, and takes what is", () => {
  const [row] = gridOf([key("a")], [grant("a", "data-push")]);
  expect(changeOf(row!, "data-push")).toBe("take");
  expect(changeOf(row!, "use-pool")).toBe("give");
  expect(changeInWords(row!, "use-pool")).toBe('"key a" now has USE');
  expect(changeInWords(row!, "data-push")).toBe('"key a" no longer has DATA PUSH API');
});
