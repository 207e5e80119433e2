// What an operation could see: the bundles of modules before it, on its own way.

import type { Operation } from "./api";

/** Tells the bundles that could be seen at an operation, by the ids of the modules that gave them. */
export function bundlesSeenAt(operations: readonly Operation[], number: number): Record<number, unknown> {
  const target = operations.find((operation) => operation.number === number);
  if (target === undefined) return {};
  const chosen = new Map(
    target.path
      .split("/")
      .filter((step) => step !== "")
      .map((step) => step.split(".").map(Number) as [number, number]),
  );
  const seen: Record<number, unknown> = {};
  for (const operation of operations) {
    if (operation.number >= number || operation.module === target.module || !isOnTheWay(operation.path, target.path)) continue;
    const bundle = operation.output[(chosen.get(operation.module) ?? 1) - 1];
    if (bundle !== undefined) seen[operation.module] = bundle;
  }
  return seen;
}

const isOnTheWay = (path: string, target: string) => path === "" || path === target || target.startsWith(`${path}/`);
