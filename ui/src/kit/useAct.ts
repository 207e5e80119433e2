import { useCallback, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";

import { say, warn } from "./toasts";

/** What is done, and what is said when it was. */
export type Act = <Data>(work: () => Promise<Data>, said?: string) => Promise<Data | null>;

/**
 * Returns a function that does something, says so, and has everything read
 * anew whose key begins with one of the names. A failure is told and gives null.
 */
export function useAct(...names: string[]): { act: Act; busy: boolean } {
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const key = names.join(",");
  const act = useCallback(
    async <Data>(work: () => Promise<Data>, said?: string): Promise<Data | null> => {
      setBusy(true);
      try {
        const answer = await work();
        if (said !== undefined) say(said);
        return answer;
      } catch (error) {
        warn(error);
        return null;
      } finally {
        setBusy(false);
        const stale = key.split(",");
        void queries.invalidateQueries({ predicate: (query) => stale.includes(String(query.queryKey[0])) });
      }
    },
    [queries, key],
  );
  return { act, busy };
}
