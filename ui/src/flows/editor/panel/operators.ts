// Operators of filters in words, grouped by the type that both sides become.

export interface Operator {
  id: string;
  words: string;
  /** It has no right side. */
  alone?: boolean;
}

export const GROUPS: { name: string; operators: Operator[] }[] = [
  {
    name: "Basic",
    operators: [
      { id: "exist", words: "Exists", alone: true },
      { id: "notexist", words: "Does not exist", alone: true },
    ],
  },
  {
    name: "Number",
    operators: [
      { id: "number:equal", words: "Equal to" },
      { id: "number:notequal", words: "Not equal to" },
      { id: "number:greater", words: "Greater than" },
      { id: "number:greaterorequal", words: "Greater than or equal to" },
      { id: "number:less", words: "Less than" },
      { id: "number:lessorequal", words: "Less than or equal to" },
    ],
  },
  {
    name: "Text",
    operators: [
      { id: "text:equal", words: "Equal to" },
      { id: "text:notequal", words: "Not equal to" },
      { id: "text:equal:ci", words: "Equal to (any case)" },
      { id: "text:contain", words: "Contains" },
      { id: "text:notcontain", words: "Does not contain" },
      { id: "text:startwith", words: "Starts with" },
      { id: "text:endwith", words: "Ends with" },
      { id: "text:pattern", words: "Matches the pattern" },
    ],
  },
  {
    name: "Date and time",
    operators: [
      { id: "date:equal", words: "Equal to" },
      { id: "date:greater", words: "Later than" },
      { id: "date:less", words: "Earlier than" },
    ],
  },
  {
    name: "Yes or no",
    operators: [
      { id: "boolean:equal", words: "Equal to" },
      { id: "boolean:notequal", words: "Not equal to" },
    ],
  },
  {
    name: "List",
    operators: [
      { id: "array:contain", words: "Contains" },
      { id: "array:notcontain", words: "Does not contain" },
    ],
  },
];

const ALL = GROUPS.flatMap((group) => group.operators);

/** Finds an operator; one that is not in the list is shown as it is written. */
export function operatorOf(id: string): Operator {
  return ALL.find((operator) => operator.id === id) ?? { id, words: id };
}
