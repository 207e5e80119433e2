// Sizes, roles and states in words.

import type { Tone } from "../kit/Chip";
import type { DataModel } from "./api";
import { writeJson } from "../api/exact";

export function sizeInWords(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

const TONES: Record<string, Tone> = {
  DONE: "good",
  ERROR: "bad",
  FAILED: "bad",
  RUNNING: "busy",
  QUEUED: "busy",
  NEW: "plain",
  CANCELED: "warn",
};

export const toneOf = (state: string): Tone => TONES[state.toUpperCase()] ?? "plain";

/** Says a state that the API shouts: DONE is "Done". */
export function stateInWords(state: string): string {
  const words = state.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Tells which part a column of a table plays in a data model, if it plays one. */
export function roleOf(table: string, column: string, models: DataModel[]): string | null {
  for (const { activity } of models) {
    if (activity === null) continue;
    if (activity.table === table) {
      if (column === activity.caseColumn) return "case";
      if (column === activity.activityColumn) return "activity";
      if (column === activity.timestampColumn) return "time";
      if (column === activity.endTimestampColumn) return "end time";
      if (column === activity.sortingColumn) return "sorting";
    }
    if (activity.caseTable === table && column === activity.caseTableColumn) return "case";
  }
  return null;
}

/** Says a value as it stands in a cell. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? writeJson(value) : String(value);
}

export const isNumber = (type: string) => type === "integer" || type === "float";
