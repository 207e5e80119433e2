// What a page shows stands in its address, so that it can be shared, reloaded
// and gone back to.

import { useCallback } from "react";
import { useLocation, useSearch } from "wouter";

/** Reads one value of the query string, and writes it without a step in the history. */
export function useAddressValue(name: string): [string | null, (value: string | null) => void] {
  const search = useSearch();
  const [path, goTo] = useLocation();
  const value = new URLSearchParams(search).get(name);
  const write = useCallback(
    (next: string | null) => {
      const query = new URLSearchParams(location.search);
      if (next === null || next === "") query.delete(name);
      else query.set(name, next);
      const text = query.toString();
      goTo(text === "" ? path : `${path}?${text}`, { replace: true });
    },
    [goTo, name, path],
  );
  return [value, write];
}
