// The last values of each module: real ones from its runs, or pasted ones where
// those are newer.

import { useMemo } from "react";

import { useEditor } from "../store";
import type { Sample } from "../types";
import { pastedOf, usePasted, type Pasted } from "./pasted";

/** Of each module what is newer: what a run gave, or what a person pasted. */
export function joined(real: Record<number, Sample>, pasted: Record<number, Pasted>): Record<number, Sample> {
  const all = { ...real };
  for (const [id, { bundle, at }] of Object.entries(pasted)) {
    const ran = all[Number(id)];
    if (ran !== undefined && Date.parse(ran.at) > Date.parse(at)) continue;
    all[Number(id)] = { bundles: [bundle], input: {}, run: "", at, pasted: true };
  }
  return all;
}

export function useSamples(): Record<number, Sample> {
  const flow = useEditor((editor) => editor.flow);
  const real = useEditor((editor) => editor.samples);
  const known = usePasted((all) => all[flow]);
  return useMemo(() => joined(real, known ?? pastedOf(flow)), [real, known, flow]);
}
