// Numbers of a run: what each module did up to a point, and where that point is.

import type { Done } from "../flows/editor/types";
import type { OperationStatus, Outline } from "./api";

const RANK: Record<OperationStatus, number> = { filtered: 0, success: 1, warning: 2, error: 3 };

/** Tells what each module did in the first operations of a run: the bubbles. The worst of a module's operations colours it; one whose filter stopped all has none. */
export function doneUpTo(operations: readonly Outline[], count: number, inFlight?: { module: number } | null, isHeld = false): Record<number, Done> {
  const done: Record<number, Done> = {};
  const worst: Record<number, number> = {};
  const end = Math.min(count, operations.length);
  for (let place = 0; place < end; place += 1) {
    const { module, status, statusCode } = operations[place]!;
    const so = (done[module] ??= { operations: 0, status: "success", statusCode: null });
    if (status === "filtered") continue;
    so.operations += 1;
    if (RANK[status] >= (worst[module] ?? 0)) {
      worst[module] = RANK[status];
      so.status = status;
      so.statusCode = statusCode;
    }
  }
  if (inFlight != null && count >= operations.length) {
    const before = done[inFlight.module];
    done[inFlight.module] = { operations: before?.operations ?? 0, status: isHeld ? "held" : "running", statusCode: null };
  }
  return done;
}

/** Where an operation lies on the time of its run, in parts of one. */
export interface Span {
  from: number;
  width: number;
}

/** Places an operation on the timeline between two instants; nothing is too short to be seen. */
export function spanOf(operation: Outline, begin: number, end: number): Span {
  const whole = Math.max(1, end - begin);
  const from = Math.min(1, Math.max(0, (Date.parse(operation.startedAt) - begin) / whole));
  const width = Math.max(0.004, (Date.parse(operation.endedAt) - Date.parse(operation.startedAt)) / whole);
  return { from: Math.min(from, 0.996), width: Math.min(width, 1 - Math.min(from, 0.996)) };
}

/** Begin and end of all operations, in milliseconds. */
export function extentOf(operations: readonly Outline[]): [number, number] {
  let [begin, end] = [Infinity, -Infinity];
  for (const { startedAt, endedAt } of operations) {
    begin = Math.min(begin, Date.parse(startedAt));
    end = Math.max(end, Date.parse(endedAt));
  }
  return begin === Infinity ? [0, 0] : [begin, end];
}

/** Moves the position on the slider, staying on it. 0 is before the first operation. */
export function moved(position: number, by: number, count: number): number {
  return Math.min(count, Math.max(0, position + by));
}

/** Milliseconds that an operation took. */
export const took = ({ startedAt, endedAt }: Outline) => Math.max(0, Date.parse(endedAt) - Date.parse(startedAt));
