// Values of earlier modules in the fields of a later one: typed, completed,
// clicked and dragged, with what they come to below.

import assert from "node:assert/strict";

import { until } from "../filling.mjs";
import { KEY, accessible, call, pictures, signIn } from "../walker.mjs";

export const title = "values are mapped";

const ORDER = JSON.stringify({ order: "4711", customer: { name: "Ann", city: "Köln" }, lines: [{ sku: "B-2" }, { sku: "A-1" }], total: 1250.5 });
const FLOW = {
  name: "Orders",
  variables: { region: "EU" },
  flow: [
    { id: 1, module: "json:ParseJSON", version: 1, mapper: { json: ORDER }, metadata: { designer: { name: "Read the order" } } },
    { id: 2, module: "util:ComposeTransformer", version: 1, mapper: { value: "{{1.order}}" }, metadata: { designer: { name: "Tell of it" } } },
  ],
};

const field = (page) => page.getByRole("complementary", { name: "Settings of the module" }).getByRole("textbox", { name: "Text" });
/** Waits until the server has the template, which the editor stores by itself. */
const stored = (url, template) =>
  until(`${template} is stored`, async () => (await call(url, "GET", "/api/v1/flows/orders/document")).document.flow.at(-1).mapper.value === template);
const result = (page, text) => page.locator(".result").getByText(text, { exact: true }).waitFor();

export const steps = [
  [
    "before a first run a field says what to do",
    async ({ page, url }) => {
      const put = await fetch(`${url}/api/v1/flows/orders/document`, {
        method: "PUT",
        headers: { authorization: `AppKey ${btoa(KEY)}`, "content-type": "application/json", "if-none-match": "*" },
        body: JSON.stringify(FLOW),
      });
      assert.ok(put.ok, await put.text());
      await signIn(page, url);
      await page.goto(`${url}/flows/orders?module=2`);
      await field(page).click();
      await page.getByText("No result yet: “Read the order” has not run.").waitFor();
      await accessible(page, "a field without a sample");
      await pictures(page, "mapping-unseen");
    },
  ],
  [
    "a pasted sample is enough to see a result",
    async ({ page }) => {
      await page.getByRole("button", { name: "Paste a sample for Read the order" }).first().click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Bundle of module 1").fill('{"order": "pasted"');
      await accessible(page, "the dialog for a sample");
      await pictures(page, "mapping-sample");
      await dialog.getByRole("button", { name: "Use this sample", disabled: true }).waitFor();
      await dialog.getByLabel("Bundle of module 1").fill('{"order": "pasted"}');
      await dialog.getByRole("button", { name: "Use this sample" }).click();
      await result(page, "pasted");
    },
  ],
  [
    "the module is run alone, and its real values count",
    async ({ page }) => {
      await page.getByRole("group", { name: /^Read the order/ }).focus();
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Run this module only" }).click();
      await page.getByRole("button", { name: /^Module 1: 1 operation, / }).waitFor();
      await page.getByRole("group", { name: /^Tell of it/ }).focus();
      await page.keyboard.press("Enter");
      await result(page, "4711");
    },
  ],
  [
    "it is written with the keyboard alone",
    async ({ page, url }) => {
      await field(page).focus();
      await page.keyboard.press("Control+a");
      await page.keyboard.type("To {{");
      await page.getByRole("option", { name: /customer › city/ }).waitFor();
      await accessible(page, "what may be written next");
      await pictures(page, "mapping-completion");
      await page.keyboard.type("city");
      await page.getByRole("option", { name: /customer › city/ }).waitFor();
      await page.keyboard.press("Enter");
      await page.keyboard.type("}}!");
      await result(page, "To Köln!");
      await stored(url, "To {{1.customer.city}}!");
      // A pill is one letter to the cursor, and to the key that deletes.
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("Backspace");
      await stored(url, "To !");
    },
  ],
  [
    "a mistake is underlined, and mended",
    async ({ page, url }) => {
      await field(page).fill('{{if(1.total > 1000; "large", "small")}}');
      await page.getByRole("button", { name: "Write ;" }).waitFor();
      await accessible(page, "a mistake");
      await pictures(page, "mapping-mistake");
      await page.getByRole("button", { name: "Write ;" }).click();
      await result(page, "large");
      await stored(url, '{{if(1.total > 1000; "large"; "small")}}');
    },
  ],
  [
    "values and functions are put in by click, and dragged",
    async ({ page, url }) => {
      await field(page).fill("");
      await page.getByRole("tab", { name: "Functions" }).click();
      await page.getByRole("searchbox", { name: "Search functions" }).fill("upper");
      await page.getByRole("button", { name: "upper", exact: true }).click();
      await page.getByRole("tab", { name: "Values" }).click();
      await page.getByRole("button", { name: "Unfold customer" }).click();
      await page.getByRole("button", { name: "city", exact: true }).click();
      await result(page, "KÖLN");
      await stored(url, "{{upper(1.customer.city)}}");
      await page.getByRole("tab", { name: "Keywords" }).click();
      await accessible(page, "keywords and operators");
      await pictures(page, "mapping-keywords");
      await page.getByRole("tab", { name: "Values" }).click();
      await field(page).fill("at: ");
      await page.getByRole("button", { name: "order", exact: true }).dragTo(field(page), { targetPosition: { x: 200, y: 12 } });
      await result(page, "at: 4711");
      await stored(url, "at: {{1.order}}");
    },
  ],
  [
    "values are walked with arrow keys, and Enter puts one in",
    async ({ page, url }) => {
      const values = page.getByRole("list", { name: "Values of Read the order" });
      const value = (name) => values.getByRole("button", { name, exact: true });
      /** Presses a key, and waits until a value has the focus. */
      const press = async (key, name) => {
        await page.keyboard.press(key);
        await until(`${key} leads to ${name}`, () => value(name).evaluate((element) => element === document.activeElement));
      };
      await field(page).fill("");
      await value("order").focus();
      await press("End", "total");
      await press("ArrowUp", "lines");
      await page.keyboard.press("ArrowRight");
      await values.getByLabel("Item of lines").selectOption("2");
      await value("lines").focus();
      await press("ArrowRight", "sku");
      await accessible(page, "values walked with keys");
      await pictures(page, "mapping-values");
      await page.keyboard.press("Enter");
      await result(page, "A-1");
      await stored(url, "{{1.lines[2].sku}}");
      await value("sku").focus();
      await press("ArrowLeft", "lines");
      await page.keyboard.press("ArrowLeft");
      await value("sku").waitFor({ state: "detached" });
      await field(page).fill("at: {{1.order}}");
    },
  ],
  [
    "what is copied is the text of the template",
    async ({ page }) => {
      await field(page).focus();
      await page.keyboard.press("Control+a");
      await page.keyboard.press("Control+c");
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "at: {{1.order}}");
    },
  ],
];
