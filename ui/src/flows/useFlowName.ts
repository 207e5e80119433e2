import { useCallback } from "react";
import { useQuery } from "@tanstack/react-query";

import { listFlows } from "./api";

/** Returns what a flow is called; of one that is gone, the key that stands in its runs. */
export function useFlowName(): (key: string) => string {
  const { data } = useQuery({ queryKey: ["flows"], queryFn: listFlows });
  return useCallback((key: string) => data?.find((flow) => flow.key === key)?.name ?? key, [data]);
}
