// What the canvas takes from the parts built beside it: the settings panel, the
// schedule, and running once. Until one of them is there its place stays empty.

import type { ComponentType } from "react";

import type { Done } from "./types";

interface Panel {
  ModulePanel?: ComponentType;
  FilterPanel?: ComponentType;
  ScheduleDialog?: ComponentType<{ onClose: () => void }>;
}

interface Once {
  useRunOnce?: (flow: string) => RunOnce;
  RunBubble?: ComponentType<{ module: number; done: Done }>;
}

/** Running the draft once, and what it does meanwhile. */
export interface RunOnce {
  done: Record<number, Done>;
  running: boolean;
  start: (...given: unknown[]) => void;
  stop?: () => void;
  dialog?: unknown;
}

const panels = import.meta.glob<Panel>("./panel/index.{ts,tsx}", { eager: true });
const onces = import.meta.glob<Once>("../../runs/once.{ts,tsx}", { eager: true });

const panel: Panel = Object.values(panels)[0] ?? {};
const once: Once = Object.values(onces)[0] ?? {};

export const { ModulePanel, FilterPanel, ScheduleDialog } = panel;
export const { useRunOnce, RunBubble } = once;
