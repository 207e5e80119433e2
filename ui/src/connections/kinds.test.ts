import { describe, expect, test } from "vitest";

import { kindOf, kindsFor, missing, settingsOf } from "./kinds";

describe("kinds of connections", () => {
  test("what is left empty is not sent, and a port is a number", () => {
    const values = { host: " mail.example.org ", port: "2525", user: "", from: "a@example.org", tls: "none" };
    expect(settingsOf(kindOf("smtp")!, values)).toEqual({ kind: "smtp", host: "mail.example.org", port: 2525, tls: "none", from: "a@example.org" });
  });

  test("only kinds that can be bound to an origin send one", () => {
    expect(settingsOf(kindOf("bearer")!, { token: "t", origin: "https://a.example" })).toHaveProperty("origin");
    expect(settingsOf(kindOf("slack")!, { token: "t", origin: "https://a.example" })).not.toHaveProperty("origin");
  });

  test("what is needed and not there is named", () => {
    expect(missing(kindOf("databricks-oauth")!, { host: "https://w" }).map(({ name }) => name)).toEqual(["clientId", "secret"]);
    expect(missing(kindOf("smtp")!, { host: "h", from: "f" })).toEqual([]);
  });

  test.each([
    ["databricks:RunJob", "databricks-pat"],
    ["slack:CreateMessage", "slack"],
    ["email:ActionSendEmail", "smtp"],
    ["http:ActionSendData", "databricks-pat"],
  ])("a module %s is first offered %s", (module, first) => expect(kindsFor(module)[0]!.id).toBe(first));
});
