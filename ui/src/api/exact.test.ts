import { describe, expect, test } from "vitest";

import { readJson, writeJson } from "./exact";

describe("exact JSON", () => {
  test.each([
    ['{"run_id":689927329029957412}', { run_id: 689927329029957412n }],
    ['{"run_id":-9223372036854775808,"tries":3}', { run_id: -9223372036854775808n, tries: 3 }],
    ['["689927329029957412",1.5,9007199254740991]', ["689927329029957412", 1.5, 9007199254740991]],
    ["0.12345678901234567", 0.12345678901234566],
    ["[1e400]".replace("400", "40"), [1e40]],
    ["null", null],
  ])("%s is read as it was meant", (text, value) => {
    expect(readJson(text)).toEqual(value);
  });

  test.each(['{"run_id":689927329029957412}', '[{"a":[1,2.5,"x"],"b":null},9223372036854775807]', '"{{2.run_id}}"'])(
    "%s is written as it was read",
    (text) => expect(writeJson(readJson(text))).toBe(text),
  );

  test("pictures of a document keep their order and are indented", () => {
    expect(writeJson({ b: 1, a: 12345678901234567890n }, 2)).toBe('{\n  "b": 1,\n  "a": 12345678901234567890\n}');
  });
});
