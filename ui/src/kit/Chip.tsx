import type { ReactNode } from "react";

export type Tone = "plain" | "good" | "bad" | "warn" | "busy" | "published";

/** A word about how something stands. The word says it; the colour only helps. */
export function Chip({ tone = "plain", title, children }: { tone?: Tone; title?: string; children: ReactNode }) {
  return (
    <span className={`chip ${tone}`} title={title}>
      {children}
    </span>
  );
}
