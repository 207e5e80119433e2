import { useQuery } from "@tanstack/react-query";

import { models } from "./api";

/** Returns what a knowledge model is called; addresses have its id. */
export function useModelName(model: string): string {
  const { data } = useQuery({ queryKey: ["models"], queryFn: models.list });
  return data?.find(({ id }) => id === model)?.name ?? model;
}
