// The fields of a panel see the same: what lies before the module that the
// panel is about.

import { createContext, useContext, useMemo, type ReactNode } from "react";

import { before, find } from "../edits";
import { useEditor, useEditorStore } from "../store";
import { useLanguage, type Language } from "./api";
import { sourcesFor } from "./outputs";
import { useSamples } from "./samples";
import { NOTHING_IN_SCOPE, type Scope } from "./scope";
import { useKnown } from "./useKnown";

interface Scoped {
  scope: Scope;
  /** Null until it was read. */
  language: Language | null;
}

const ScopeContext = createContext<Scoped>({ scope: NOTHING_IN_SCOPE, language: null });

/** What a field sees; nothing outside of a panel. */
export const useScope = () => useContext(ScopeContext);

interface Props {
  module: number;
  /** At the end of what the module repeats. */
  inside?: boolean;
  children: ReactNode;
}

/** Gives the fields inside what can be mapped at a module. */
export function ScopeOf({ module, inside = false, children }: Props) {
  const store = useEditorStore();
  const kinds = useEditor((editor) => editor.kinds);
  const variables = useEditor((editor) => editor.document.variables);
  // The document changes with every letter; which modules lie before seldom does.
  const lies = useEditor((editor) => [...before(editor.document, module), ...(inside ? (find(editor.document, module)?.module.flow ?? []) : [])].map((one) => `${one.id} ${one.module} ${one.metadata?.designer?.name ?? ""}`).join("\n"));
  const samples = useSamples();
  const known = useKnown();
  const language = useLanguage().data ?? null;
  const scope = useMemo<Scope>(
    () => ({ sources: sourcesFor(store.getState().document, module, kinds, samples, inside, known), variables: variables ?? {} }),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [store, module, inside, kinds, samples, known, variables, lies],
  );
  const scoped = useMemo(() => ({ scope, language }), [scope, language]);
  return <ScopeContext.Provider value={scoped}>{children}</ScopeContext.Provider>;
}
