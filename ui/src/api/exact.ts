// JSON in which whole numbers stay exact. Ids of jobs and runs are longer than
// the numbers of this language are exact (2^53), so such a number is read as a
// `bigint`, and written as the same digits.

import { parse, stringify } from "lossless-json";

/** Whether a text may hold a number that this language would round. */
const MAY_BE_BIG = /\d{16}/;

const number = (digits: string): number | bigint => {
  const near = Number(digits);
  return Number.isInteger(near) && !Number.isSafeInteger(near) && /^-?\d+$/.test(digits) ? BigInt(digits) : near;
};

/** Reads JSON; a whole number beyond 2^53 becomes a `bigint`. */
export function readJson(text: string): unknown {
  return MAY_BE_BIG.test(text) ? parse(text, undefined, number) : (JSON.parse(text) as unknown);
}

/** Writes JSON; a `bigint` becomes its digits. Undefined for what JSON has no word for. */
export function writeJson(value: unknown, indent?: number): string {
  return stringify(value, undefined, indent) as string;
}
