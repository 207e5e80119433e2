import { expect, it } from "vitest";

import { mapped } from "./structured";

it("fields of a structure become fields of the form, inner ones too", () => {
  const options = mapped({ name: "csvParsingOptions", type: "collection", spec: [{ name: "lineEnding", type: "text", label: "Line ending" }] });
  expect(options).toMatchObject({ kind: "group", label: "csvParsingOptions", inside: [{ name: "lineEnding", label: "Line ending", kind: "template" }] });
});

it.each([
  [{ name: "n", type: "number", required: true }, "template"],
  [{ name: "tags", type: "array", spec: { type: "text" } }, "list"],
  [{ name: "lines", type: "array", spec: { type: "collection", spec: [{ name: "sku", type: "text" }] } }, "rows"],
  [{ name: "any", type: "collection" }, "template"],
])("%j is a field of kind %s", (field, kind) => expect(mapped(field).kind).toBe(kind));
