// Operators of filters in words, grouped by what both sides become.

import type { FilterOperator } from "../mapping/api";

export interface OperatorGroup {
  name: string;
  operators: { id: string; words: string }[];
}

const NAMES: Record<string, string> = { exist: "Basic", text: "Text", number: "Number", date: "Date", time: "Time of day", boolean: "Yes or no", array: "List" };

/** Groups the operators; outside of its list each says its group, too, because many have the same words. */
export function groupsOf(operators: readonly FilterOperator[]): OperatorGroup[] {
  const groups = new Map<string, OperatorGroup>();
  for (const { id, group, words } of operators) {
    const name = NAMES[group] ?? group;
    const known = groups.get(group) ?? { name, operators: [] };
    known.operators.push({ id, words: group === "exist" ? words : `${name}: ${words.charAt(0).toLowerCase()}${words.slice(1)}` });
    groups.set(group, known);
  }
  return [...groups.values()];
}

/** Whether an operator looks at the left side only; of one that nobody knows both are shown. */
export function isAlone(operators: readonly FilterOperator[], id: string): boolean {
  return operators.find((operator) => operator.id === id)?.unary ?? (id === "exist" || id === "notexist");
}
