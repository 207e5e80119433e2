import type { ReactNode } from "react";

/** Nothing is there yet: says so, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <aside className="empty">
      <h2>{title}</h2>
      {children}
    </aside>
  );
}
