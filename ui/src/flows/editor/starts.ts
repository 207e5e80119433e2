// How a flow starts: the five ways that a person chooses from, and a schedule
// said in words.

import type { FlowDocument } from "./document";
import { insertFirst, newModule } from "./edits";
import { freeId } from "./tree";

export interface Start {
  id: "schedule" | "signal" | "manual" | "webhook" | "run-ended";
  name: string;
  says: string;
  /** The module that it puts first; a schedule needs none. */
  module: string | null;
}

export const STARTS: Start[] = [
  { id: "schedule", name: "Schedule", says: "A timer: every 15 minutes, daily, on certain days", module: null },
  { id: "signal", name: "Signal", says: "Something happened in the process, such as an order that waits too long", module: "loopwright:Signal" },
  { id: "manual", name: "Manual", says: "A person presses a button, with a form if you like", module: "loopwright:Manual" },
  { id: "webhook", name: "Webhook", says: "Another program sends data to an address", module: "gateway:CustomWebHook" },
  { id: "run-ended", name: "Run ended", says: "A job run of Databricks or of the local workspace came to its end", module: "databricks:RunEnded" },
];

/** Every 15 minutes, as the original has it. */
export const EVERY_15_MINUTES = { type: "indefinitely", interval: 900 };

/** Lets a flow start in one of the ways. */
export function startedBy(document: FlowDocument, start: Start): FlowDocument {
  if (start.module === null) return { ...document, scheduling: { ...EVERY_15_MINUTES } };
  return insertFirst(document, newModule(freeId(document), start.module));
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** Says a schedule in a few words. */
export function scheduleWords(scheduling: Record<string, unknown> | undefined): string {
  const { type, interval, time, days, date, dates, cron } = (scheduling ?? {}) as Record<string, unknown>;
  const list = (value: unknown, word: (day: number) => string) => (Array.isArray(value) ? value.map((day) => word(Number(day))).join(", ") : "");
  const at = typeof time === "string" ? ` at ${time}` : "";
  switch (type) {
    case "immediately":
      return "Immediately";
    case "indefinitely":
      return every(typeof interval === "number" ? interval : 900);
    case "once":
      return typeof date === "string" ? `Once, ${date.slice(0, 16).replace("T", " ")}` : "Once";
    case "dates":
      return Array.isArray(dates) ? `On ${dates.length} dates` : "On dates";
    case "daily":
      return `Every day${at}`;
    case "weekly":
      return `${list(days, (day) => DAYS[day] ?? String(day))}${at}`;
    case "monthly":
      return `Day ${list(days, String)} of the month${at}`;
    case "yearly":
      return `Every year${at}`;
    case "cron":
      return typeof cron === "string" ? cron : "By a cron text";
    default:
      return "On demand";
  }
}

function every(seconds: number): string {
  const units: [number, string][] = [
    [86_400, "day"],
    [3600, "hour"],
    [60, "minute"],
  ];
  for (const [size, name] of units) {
    if (seconds % size === 0) return seconds === size ? `Every ${name}` : `Every ${seconds / size} ${name}s`;
  }
  return `Every ${seconds} seconds`;
}
