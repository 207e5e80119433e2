import { useQuery } from "@tanstack/react-query";

import { pools } from "./api";

/** Returns what a pool is called; addresses have its id. */
export function usePoolName(pool: string): string {
  const { data } = useQuery({ queryKey: ["pools"], queryFn: pools.list });
  return data?.find(({ id, name }) => id === pool || name === pool)?.name ?? "Pool";
}
