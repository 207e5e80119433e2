import { expect, it } from "vitest";

import type { Operation } from "./api";
import { bundlesSeenAt } from "./seen";

const operation = (number: number, module: number, path: string, output: unknown[]): Operation => ({
  number,
  module,
  kind: "x:Y",
  path,
  status: "success",
  statusCode: null,
  startedAt: "2026-01-01T00:00:00Z",
  endedAt: "2026-01-01T00:00:01Z",
  input: null,
  output,
  detail: null,
});

it("sees the bundle that led there, and not those of its siblings", () => {
  const operations = [
    operation(1, 1, "", ["a", "b"]),
    operation(2, 2, "1.1", ["of a"]),
    operation(3, 3, "1.1", []),
    operation(4, 2, "1.2", ["of b"]),
    operation(5, 3, "1.2", []),
  ];
  expect(bundlesSeenAt(operations, 5)).toEqual({ 1: "b", 2: "of b" });
  expect(bundlesSeenAt(operations, 3)).toEqual({ 1: "a", 2: "of a" });
  expect(bundlesSeenAt(operations, 9)).toEqual({});
});
