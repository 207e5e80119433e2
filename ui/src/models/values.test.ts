import { expect, it } from "vitest";

import { valueInWords } from "./values";

it.each([
  [136.83333333333334, "136.83"],
  [130, "130"],
  ["Pay Invoice", "Pay Invoice"],
  [null, "nothing"],
  [true, "true"],
])("%j is read as %s", (value, words) => expect(valueInWords(value)).toBe(words));
