// Operators of filters in words, grouped by the type that both sides become.

export interface Operator {
  id: string;
  words: string;
  /** It has no right side. */
  alone?: boolean;
}

const ORDER: [string, string][] = [
  ["equal", "Equal to"],
  ["notequal", "Not equal to"],
];
const SIZE: [string, string][] = [
  ["greater", "Greater than"],
  ["greaterorequal", "Greater than or equal to"],
  ["less", "Less than"],
  ["lessorequal", "Less than or equal to"],
];
const TIME: [string, string][] = [
  ["greater", "Later than"],
  ["greaterorequal", "Later than or equal to"],
  ["less", "Earlier than"],
  ["lessorequal", "Earlier than or equal to"],
];
const PARTS: [string, string][] = [
  ["contain", "Contains"],
  ["notcontain", "Does not contain"],
];
const TEXT: [string, string][] = [
  ...ORDER,
  ...PARTS,
  ["startwith", "Starts with"],
  ["notstartwith", "Does not start with"],
  ["endwith", "Ends with"],
  ["notendwith", "Does not end with"],
  ["pattern", "Matches the pattern"],
  ["notpattern", "Does not match the pattern"],
];
const LENGTH: [string, string][] = [
  ["equal", "Has so many items"],
  ["notequal", "Has not so many items"],
  ["greater", "Has more items than"],
  ["less", "Has fewer items than"],
];

const of = (type: string, list: [string, string][]): Operator[] => list.map(([name, words]) => ({ id: `${type}:${name}`, words }));

export const GROUPS: { name: string; operators: Operator[] }[] = [
  {
    name: "Basic",
    operators: [
      { id: "exist", words: "Exists", alone: true },
      { id: "notexist", words: "Does not exist", alone: true },
    ],
  },
  { name: "Number", operators: of("number", [...ORDER, ...SIZE]) },
  {
    name: "Text",
    operators: [
      ...of("text", TEXT),
      ...of("text", TEXT).map(({ id, words }) => ({ id: `${id}:ci`, words: `${words} (any case)` })),
      { id: "text:isempty", words: "Is empty", alone: true },
      { id: "text:isnotempty", words: "Is not empty", alone: true },
    ],
  },
  { name: "Date", operators: of("date", [...ORDER, ...TIME]) },
  { name: "Time of day", operators: of("time", [...ORDER, ...TIME]) },
  { name: "Yes or no", operators: of("boolean", ORDER) },
  { name: "List", operators: [...of("array", PARTS), ...of("array", LENGTH)] },
];

const ALL = GROUPS.flatMap((group) => group.operators);

/** Finds an operator; one that is not in the list is shown as it is written. */
export function operatorOf(id: string): Operator {
  return ALL.find((operator) => operator.id === id) ?? { id, words: id };
}
