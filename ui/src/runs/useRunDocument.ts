// The text of the flow that a run is drawn on.

import { useQuery, type QueryClient } from "@tanstack/react-query";

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

const aboutOf = (flow: string) => ({ queryKey: ["flow", flow, "brief"], queryFn: () => readFlow(flow), retry: false });
const textOf = (flow: string, of: "published" | "draft") => ({
  queryKey: ["flow", flow, "blueprint", of],
  queryFn: () => readBlueprint(flow, of),
  retry: false,
  staleTime: 60_000,
});

/** Begins to read what a run is drawn on, while its operations are on their way. */
export function readDocumentAhead(queries: QueryClient, flow: string): void {
  void queries.prefetchQuery(aboutOf(flow));
  void queries.prefetchQuery(textOf(flow, "draft"));
}

export function useRunDocument(run: RunWhole): RunDocument {
  const about = useQuery({ ...aboutOf(run.flow), staleTime: 1000 });
  const version = about.data?.version ?? null;
  const published = useQuery({ ...textOf(run.flow, "published"), enabled: version !== null });
  const draft = useQuery({ ...textOf(run.flow, "draft"), enabled: about.data !== undefined });
  if (about.isError) return { document: null, of: null, gone: true };
  if (about.isPending || draft.isPending || (version !== null && published.isPending)) return { document: null, of: null, gone: false };
  // The one in which more of the run's modules are; the published one where both are as good.
  const here = published.data === undefined ? -1 : fits(published.data, run.modules);
  const there = draft.data === undefined ? -1 : fits(draft.data, run.modules);
  if (here < 0 && there < 0) return { document: null, of: null, gone: true };
  return here >= there ? { document: published.data!, of: "published", gone: false } : { document: draft.data!, of: "draft", gone: false };
}
