// The run whose bubbles are on the canvas; they read their operations here.

import { create } from "zustand";

import type { RunWhole } from "./api";

interface Shown {
  run: RunWhole | null;
  /** Only operations up to this number are shown; null for all. */
  upTo: number | null;
}

export const useShownRun = create<Shown>(() => ({ run: null, upTo: null }));
