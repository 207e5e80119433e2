import { useMemo } from "react";
import { useQueries } from "@tanstack/react-query";

import { hooks, type Hook, type Item } from "../../../hooks/api";
import { structures, type Structure } from "../../../structures/api";
import { useEditor } from "../store";
import type { OutputField } from "../types";
import { namings, outputsOf, type Known } from "./known";

/** Reads what is said of the modules of the open flow. */
export function useKnown(): Known {
  const all = useEditor((editor) => namings(editor.document).join("\n"));
  const named = useMemo(() => all.split("\n").filter((line) => line !== "").map(read), [all]);
  return useQueries({
    queries: named.map(({ what, name }) => ({
      queryKey: [what === "hook" ? "hooks" : "structures", name],
      queryFn: async (): Promise<unknown> => (what === "hook" ? hooks.show(name) : structures.show(name)),
      staleTime: 10_000,
      retry: false,
    })),
    combine: (found) =>
      new Map(
        named.flatMap(({ id, what }, place): [number, OutputField[]][] => {
          const data = found[place]?.data;
          if (data === undefined) return [];
          const fields = what === "hook" ? itemsOf(data as Hook) : (data as Structure).spec;
          return fields.length === 0 ? [] : [[id, outputsOf(fields)]];
        }),
      ),
  });
}

function read(line: string): { id: number; what: string; name: string } {
  const [id = "", what = "", ...name] = line.split(" ");
  return { id: Number(id), what, name: name.join(" ") };
}

/** What the last request told of a hook, or what it is said to take. */
function itemsOf({ learning, structure }: Hook): readonly Item[] {
  if (learning.state === "determined") return learning.items;
  return Array.isArray(structure) ? (structure as Item[]) : [];
}
