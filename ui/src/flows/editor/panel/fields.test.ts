import { describe, expect, it } from "vitest";

import { holdsJson } from "./rules";
import { fieldsOf, shownFields, unknownNames, withValue } from "./fields";

describe("the form of a module", () => {
  const schema = {
    properties: {
      mapper: {
        properties: {
          method: { enum: ["get", "post"] },
          bodyType: { enum: ["raw"] },
          data: { type: "string" },
          headers: { type: "array", items: { properties: { name: { type: "string" } }, required: ["name"] } },
        },
      },
    },
  };
  const fields = fieldsOf(schema, "mapper");

  it("has a field of the right kind for each property", () => {
    expect(fields.map((field) => field.kind)).toEqual(["choice", "choice", "template", "rows"]);
    expect(fields[3]!.inside[0]).toMatchObject({ name: "name", required: true });
  });

  it("leaves out what does not matter as it is set", () => {
    const names = (mapper: object) => shownFields(fields, { id: 1, module: "http:ActionSendData", mapper }).map((field) => field.name);
    expect(names({})).toEqual(["method", "headers"]);
    expect(names({ method: "post", bodyType: "raw" })).toEqual(["method", "bodyType", "data", "headers"]);
  });

  it("keeps what it does not know", () => {
    const module = withValue({ id: 1, module: "a:b", mapper: { odd: 1 } }, "mapper", "url", "x");
    expect(module.mapper).toEqual({ odd: 1, url: "x" });
    expect(unknownNames(fields, module.mapper as Record<string, unknown>)).toEqual(["odd", "url"]);
    expect(withValue(module, "mapper", "url", undefined).mapper).toEqual({ odd: 1 });
  });

  it("knows which field holds JSON text", () => {
    const holds = (mapper: Record<string, unknown>, field = "data") => holdsJson("http:ActionSendData", field, mapper);
    expect(holds({ bodyType: "raw", contentType: "application/json" })).toBe(true);
    expect(holds({ contentType: "application/json", headers: [{ name: "Content-Type", value: "text/plain" }] })).toBe(false);
    expect(holds({ headers: [{ name: "content-type", value: "application/vnd.x+JSON" }] })).toBe(true);
    expect(holds({ bodyType: "multipart_form_data", contentType: "application/json" })).toBe(false);
    expect(holds({ contentType: "application/json" }, "url")).toBe(false);
  });
});
