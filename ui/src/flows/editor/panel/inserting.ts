// Which field a click in the mapping tree goes into: the one that had the focus
// last, at its cursor.

import { create } from "zustand";

interface Target {
  /** Of the element that takes the text. */
  id: string;
  insert: (text: string) => void;
}

export const useTarget = create<{ target: Target | null }>(() => ({ target: null }));

export function aimAt(target: Target): void {
  useTarget.setState({ target });
}

/** Puts a text in place of what is marked in a field. */
export function spliced(element: HTMLTextAreaElement, text: string): string {
  const { value, selectionStart, selectionEnd } = element;
  return value.slice(0, selectionStart) + text + value.slice(selectionEnd);
}
