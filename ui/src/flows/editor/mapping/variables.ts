// The variables of a flow as values that can be mapped.

import { itemsOf, type Item } from "./outputs";

/** As `var.flow.name` each. */
export function variableItems(variables: Record<string, unknown>): Item[] {
  return itemsOf(variables, "var.flow");
}
