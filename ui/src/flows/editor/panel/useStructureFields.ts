import { useQuery } from "@tanstack/react-query";

import { structures } from "../../../structures/api";
import type { ModuleNode } from "../document";
import { partOf, type Field } from "./fields";
import { expected, mapped, WRITERS } from "./structured";

/** The mapped fields that the module's data structure gives it. */
export function useStructureFields(module: ModuleNode): Field[] {
  const type = partOf(module, "parameters")["type"];
  const name = WRITERS.has(module.module) && typeof type === "string" && type !== "" ? type : null;
  const found = useQuery({ queryKey: ["structures", name], queryFn: () => structures.show(name!), enabled: name !== null });
  if (name !== null) return (found.data?.spec ?? []).map(mapped);
  return WRITERS.has(module.module) ? expected(module).map(mapped) : [];
}
