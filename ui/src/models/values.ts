// Values of events, as people read them.

import { writeJson } from "../api/exact";

const WHEN = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/;

/** Writes a value of an event shortly: numbers with two decimals, times in the reader's zone. */
export function valueInWords(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "number") return value.toLocaleString(undefined, { maximumFractionDigits: 2, useGrouping: false });
  if (typeof value === "string" && WHEN.test(value)) {
    return new Date(value).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
  return typeof value === "object" ? (writeJson(value) ?? "") : String(value);
}
