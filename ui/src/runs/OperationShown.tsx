// An operation with its bundles, which are read when somebody looks at it.

import { useQuery } from "@tanstack/react-query";

import { Problem } from "../kit/Problem";
import { readOperation, type Choice, type Outline } from "./api";
import { OperationDetail } from "./OperationDetail";

interface Props {
  run: string;
  outline: Outline;
  choices?: Choice[];
}

/** What was done does not change, so it is read once. */
export const useOperation = (run: string, number: number | undefined) =>
  useQuery({ queryKey: ["operation", run, number], queryFn: () => readOperation(run, number!), enabled: number !== undefined, staleTime: Infinity });

export function OperationShown({ run, outline, choices = [] }: Props) {
  const found = useOperation(run, outline.number);
  if (found.data !== undefined) return <OperationDetail operation={found.data} choices={choices} />;
  if (found.error !== null) return <Problem error={found.error} onRetry={() => void found.refetch()} />;
  return <p className="muted">Loading …</p>;
}
