import { describe, expect, test } from "vitest";

import type { Field } from "./api";
import { added, inside, removed, replaced, retyped, wrong } from "./fields";

const ORDER: Field[] = [
  { name: "id", type: "number", required: true },
  { name: "lines", type: "array", spec: { type: "collection", spec: [{ name: "sku", type: "text" }] } },
];

describe("fields of a structure", () => {
  test("what is inside an array is changed where it lies", () => {
    const now = replaced(ORDER, [1, 0], { name: "sku", type: "number" });
    expect(inside(now[1]!)).toEqual([{ name: "sku", type: "number" }]);
    expect(now[1]!.spec).toMatchObject({ type: "collection" });
    expect(now[0]).toBe(ORDER[0]);
  });

  test("fields are added at the top and inside, and removed again", () => {
    expect(added(ORDER, []).at(-1)).toEqual({ name: "", type: "text" });
    const deeper = added(ORDER, [1]);
    expect(inside(deeper[1]!)).toHaveLength(2);
    expect(removed(deeper, [1, 1])).toEqual(ORDER);
  });

  test("another type keeps what can be kept", () => {
    expect(retyped(ORDER[1]!, "collection").spec).toEqual([{ name: "sku", type: "text" }]);
    expect(retyped(ORDER[0]!, "text")).toEqual({ name: "id", type: "text", required: true });
    expect(retyped(ORDER[1]!, "text")).not.toHaveProperty("spec");
  });

  test.each([
    [ORDER, null],
    [added(ORDER, []), "A field has no name."],
    [added(ORDER, [1]), "A field in lines has no name."],
    [[...ORDER, ORDER[0]!], '"id" is there twice.'],
  ])("names are looked at %#", (fields, said) => expect(wrong(fields)).toBe(said));
});
