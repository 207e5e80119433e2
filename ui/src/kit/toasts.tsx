// Short words that come and go: what was done, and what could not be.

import { create } from "zustand";
import { X } from "lucide-react";

interface Toast {
  id: number;
  tone: "good" | "bad";
  text: string;
}

const STAYS_MS = 6000;

const useToasts = create<{ toasts: Toast[] }>(() => ({ toasts: [] }));
let last = 0;

/** Says that something was done. It goes by itself. */
export function say(text: string): void {
  const id = show("good", text);
  setTimeout(() => dismiss(id), STAYS_MS);
}

/** Says that something went wrong. It stays until it is dismissed. */
export function warn(error: unknown): void {
  show("bad", error instanceof Error ? error.message : String(error));
}

function show(tone: Toast["tone"], text: string): number {
  last += 1;
  const toast = { id: last, tone, text };
  useToasts.setState(({ toasts }) => ({ toasts: [...toasts.slice(-4), toast] }));
  return toast.id;
}

/** What was said is not for whoever comes next. */
export function dismissAll(): void {
  useToasts.setState({ toasts: [] });
}

function dismiss(id: number): void {
  useToasts.setState(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.id !== id) }));
}

/** Where they are shown; a screen reader reads them out. */
export function Toasts() {
  const toasts = useToasts((state) => state.toasts);
  return (
    <div className="toasts" role="region" aria-label="Messages">
      <div role="status" aria-live="polite">
        {toasts.map(({ id, tone, text }) => (
          <div key={id} className={`toast ${tone}`}>
            <span>{text}</span>
            <button type="button" className="icon" aria-label="Dismiss" onClick={() => dismiss(id)}>
              <X aria-hidden="true" size={16} />
            </button>
          </div>
        ))}
      </div>
    </div>
  );
}
