import type { ReactNode } from "react";
import type { UseQueryResult } from "@tanstack/react-query";

import { Problem } from "./Problem";

/** Shows what a query read, that it is being read, or why it could not be. */
export function Read<Data>({ query, children }: { query: UseQueryResult<Data>; children: (data: Data) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error !== null) return <Problem error={query.error} onRetry={() => void query.refetch()} />;
  return (
    <p className="muted" role="status">
      Reading …
    </p>
  );
}
