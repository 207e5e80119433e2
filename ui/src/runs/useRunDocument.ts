// The text of the flow that a run is drawn on.

import { useQuery } from "@tanstack/react-query";

import type { FlowDocument, ModuleNode } from "../flows/editor/document";
import { readBlueprint, readFlow, type RunWhole } from "./api";

export interface RunDocument {
  document: FlowDocument | null;
  /** Which text it is: the run's own is known by its hash alone. */
  of: "published" | "draft" | null;
  /** Neither is there. */
  gone: boolean;
}

/** Ids and kinds of all modules in a document. */
export function modulesIn(nodes: readonly ModuleNode[] | undefined, found = new Map<number, string>()): Map<number, string> {
  for (const node of nodes ?? []) {
    found.set(node.id, node.module);
    modulesIn(node.flow, found);
    modulesIn(node.onerror, found);
    for (const way of [...(node.routes ?? []), ...(node.branches ?? [])]) modulesIn(way.flow, found);
  }
  return found;
}

/** Tells how many modules of a run a document knows as the same kind. */
export function fits(document: FlowDocument, modules: { module: number; kind: string }[]): number {
  const there = modulesIn(document.flow);
  return modules.filter(({ module, kind }) => there.get(module) === kind).length;
}

export function useRunDocument(run: RunWhole): RunDocument {
  const about = useQuery({ queryKey: ["flow", run.flow, "brief"], queryFn: () => readFlow(run.flow), retry: false });
  const version = about.data?.version ?? null;
  const options = (of: "published" | "draft") => ({
    queryKey: ["flow", run.flow, "blueprint", of],
    queryFn: () => readBlueprint(run.flow, of),
    retry: false,
    staleTime: 60_000,
  });
  const published = useQuery({ ...options("published"), enabled: version !== null });
  const draft = useQuery({ ...options("draft"), enabled: about.data !== undefined });
  if (about.isError) return { document: null, of: null, gone: true };
  if (about.isPending || draft.isPending || (version !== null && published.isPending)) return { document: null, of: null, gone: false };
  // The one in which more of the run's modules are; the published one where both are as good.
  const here = published.data === undefined ? -1 : fits(published.data, run.modules);
  const there = draft.data === undefined ? -1 : fits(draft.data, run.modules);
  if (here < 0 && there < 0) return { document: null, of: null, gone: true };
  return here >= there ? { document: published.data!, of: "published", gone: false } : { document: draft.data!, of: "draft", gone: false };
}
