// Which field a click in the mapping panel goes into: the one that had the focus
// last, at its cursor.

import { create } from "zustand";

import type { Part } from "./template";

interface Target {
  /** Of the element that takes the text. */
  id: string;
  /** What people call the field. */
  label: string;
  insert: (part: Part) => void;
}

export const useTarget = create<{ target: Target | null }>(() => ({ target: null }));

export function aimAt(target: Target): void {
  useTarget.setState({ target });
}

/** A field that is gone takes nothing. */
export function aimAway(id: string): void {
  if (useTarget.getState().target?.id === id) useTarget.setState({ target: null });
}
