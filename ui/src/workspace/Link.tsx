import type { MouseEvent, ReactNode } from "react";

import { addressOf, goTo, type Place } from "./place";

/** A link to a page of the workspace; with a held key it opens as any link. */
export function Link({ to, children, current }: { to: Place; children: ReactNode; current?: boolean }) {
  const address = addressOf(to);
  const follow = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    goTo(address);
  };
  return (
    <a href={address} onClick={follow} aria-current={current === true ? "page" : undefined}>
      {children}
    </a>
  );
}
