// Document 2 as a person does it: requests to a webhook are collected, become one
// CSV, and are pushed into a pool; built from an empty system, run once,
// scheduled, published, seen with SQL, and compared with the example.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { essence } from "../blueprint.mjs";
import { KEY, accessible, call, exactly, pictures, signIn } from "../walker.mjs";

export const title = "requests become rows, from nothing";
// The host of the tutorial stands for this program, so the addresses are the very same.
export const settings = { LOOPWRIGHT_HOST_ALIASES: "*.celonis.cloud=this" };

const EXAMPLE = join(import.meta.dirname, "../../../examples/action-flows/webhook-to-pool.blueprint.json");
const PUSH = "https://{{3.teamDomain}}.{{3.env}}.celonis.cloud/integration/api/v1/data-push/{{3.`Data Pool ID`}}/jobs/";

const side = (page) => page.getByRole("complementary", { name: "Settings of the module" });
const saved = (page) => page.getByRole("toolbar", { name: "Flow" }).getByRole("button", { name: "Saved", exact: true }).waitFor();
const type = (within, name, text) => within.getByLabel(name, { exact: true }).fill(text);

/** Adds a module behind the last one; the search finds it by the words. */
async function add(page, words, option, name) {
  await page.getByRole("button", { name: /^Add a module after/ }).last().click();
  await page.getByRole("combobox", { name: "Search modules" }).fill(words);
  await page.getByRole("option", { name: option }).first().click();
  await side(page).getByRole("heading", { level: 2 }).waitFor();
  if (name !== undefined) await side(page).getByLabel("Name", { exact: true }).first().fill(name);
}

/** Makes a data structure from a sample, as the field's own button offers. */
async function structure(page, name, sample) {
  await side(page).getByRole("button", { name: "Add for Data structure" }).click();
  const dialog = page.getByRole("dialog");
  await type(dialog, "Data structure name", name);
  await dialog.getByRole("button", { name: "Generator" }).click();
  await type(dialog, "Sample data", JSON.stringify(sample));
  await dialog.getByRole("button", { name: "Generate" }).click();
  await dialog.getByLabel(`Name of ${Object.keys(sample)[0]}`).waitFor();
  await accessible(page, `the generator of ${name}`);
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
}

async function header(page, number, name, value) {
  await side(page).getByRole("button", { name: "Add item to Headers" }).click();
  const item = side(page).getByRole("group", { name: `Headers, item ${number}` });
  await item.getByLabel(/^name/i).fill(name);
  await item.getByLabel(/^value/i).fill(value);
}

async function filter(page, from, to, label, module) {
  await page.getByRole("group", { name: `Wire from ${from} to ${to}` }).focus();
  await page.keyboard.press("Enter");
  const panel = page.getByRole("complementary", { name: "Filter on the wire" });
  await panel.getByLabel("Label").fill(label);
  await panel.getByRole("textbox", { name: "Value", exact: true }).fill(`{{${module}.statusCode}}`);
  await panel.getByLabel("Operator", { exact: true }).selectOption("number:lessorequal");
  await panel.getByLabel("Compared with").fill("201");
  await saved(page);
}

export const steps = [
  [
    "a pool is made in the browser",
    async ({ page, url, memory }) => {
      await signIn(page, url);
      await page.getByRole("link", { name: "Data pools" }).click();
      await page.getByRole("button", { name: "New pool" }).first().click();
      await page.getByRole("dialog").getByLabel("Name").fill("warehouse");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "warehouse" }).waitFor();
      const [pool] = await call(url, "GET", "/api/v1/pools");
      memory.pool = pool.id;
      await page.getByText(pool.id).first().waitFor();
    },
  ],
  [
    "a flow starts with a webhook, whose items a request tells",
    async ({ page, memory }) => {
      await page.getByRole("link", { name: "Flows" }).first().click();
      await page.getByRole("button", { name: "New flow" }).first().click();
      await page.getByLabel("Name", { exact: true }).fill("Webhook to pool");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: /^Webhook/ }).click();
      await type(side(page), "Name", "Deliveries");
      await side(page).getByRole("button", { name: "Add for Hook" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Webhook name").fill("Deliveries");
      await accessible(page, "the dialog of a new webhook");
      await dialog.getByRole("button", { name: "Save" }).click();
      memory.address = await dialog.getByLabel("Address").inputValue();
      await dialog.getByRole("button", { name: "Determine the data structure" }).click();
      await dialog.getByText("Listening").waitFor();
      await accessible(page, "a webhook that listens");
      // As in the guide: the address in a browser, with the items behind it.
      assert.equal((await fetch(`${memory.address}?OrderId=1&DeliveryDate=03.02.2026`)).status, 200);
      await dialog.getByText("Successfully determined").waitFor();
      await dialog.getByText("DeliveryDate", { exact: true }).waitFor();
      await accessible(page, "a webhook whose data is known");
      await pictures(page, "webhook-determined");
      await dialog.getByRole("button", { name: "Done" }).click();
      await type(side(page), "Maximum number of results", "300");
      await saved(page);
    },
  ],
  [
    "one CSV is made of them, with columns from a sample",
    async ({ page }) => {
      await add(page, "create csv", /Create CSV \(advanced\)/);
      await structure(page, "Deliveries", { "Order ID": "", "Requested Delivery Date": "" });
      await side(page).getByLabel("Source module").selectOption("1");
      // What the request told can be mapped before anything ran.
      await side(page).getByText("known fields, not run yet").waitFor();
      await side(page).getByRole("textbox", { name: "Order ID", exact: true }).click();
      await side(page).getByRole("button", { name: "OrderId", exact: true }).click();
      await type(side(page), "Requested Delivery Date", '{{formatDate(parseDate(1.DeliveryDate; "DD.MM.YYYY"); "YYYY-MM-DD")}}');
      await saved(page);
      await accessible(page, "the columns of a CSV");
      await pictures(page, "editor-csv");
    },
  ],
  [
    "where it goes stands in variables",
    async ({ page, memory }) => {
      await add(page, "set multiple variables", /Set multiple variables/);
      const variables = [["Data Pool ID", memory.pool], ["env", "eu-1"], ["teamDomain", "acme"], ["AppKey", Buffer.from(KEY).toString("base64")], ["tableName", "ContiPush"]];
      for (const [place, [name, value]] of variables.entries()) {
        await side(page).getByRole("button", { name: "Add item to Variables" }).click();
        const item = side(page).getByRole("group", { name: `Variables, item ${place + 1}` });
        await item.getByLabel(/^name/i).fill(name);
        await item.getByLabel(/^value/i).fill(value);
      }
      await saved(page);
    },
  ],
  [
    "the push job's body is a JSON of a structure of its own",
    async ({ page }) => {
      await add(page, "create json", /Create JSON/);
      const csvParsingOptions = { decimalSeparator: "", separatorSequence: "", lineEnding: "", dateFormat: "" };
      await structure(page, "Push job", { type: "", fileType: "", dataPoolId: "", targetName: "", csvParsingOptions });
      for (const [name, value] of Object.entries({
        type: "DELTA",
        fileType: "CSV",
        dataPoolId: "{{3.`Data Pool ID`}}",
        targetName: "{{3.tableName}}",
        decimalSeparator: ".",
        separatorSequence: ",",
        lineEnding: "\\n",
        dateFormat: "yyyy-MM-dd",
      })) {
        await type(side(page), name, value);
      }
      await saved(page);
      await pictures(page, "editor-json");
    },
  ],
  [
    "three calls: create the job, push the CSV, execute",
    async ({ page }) => {
      await add(page, "http", /Make a request/, "Create the push job");
      await side(page).getByLabel(/^URL/).fill(PUSH);
      await side(page).getByLabel("Method").selectOption("post");
      await header(page, 1, "Authorization", "AppKey {{3.AppKey}}");
      await header(page, 2, "Content-Type", "application/json");
      await side(page).getByLabel("Body type").selectOption("raw");
      await side(page).getByLabel("Content type").fill("application/json");
      await side(page).getByLabel(/^Request content|^Data|^Body$/).last().fill("{{4.json}}");

      await add(page, "parse json", /Parse JSON/);
      await side(page).getByLabel(/^JSON string/).fill("{{5.data}}");

      await add(page, "http", /Make a request/, "Push the CSV");
      await side(page).getByLabel(/^URL/).fill(`${PUSH}{{6.id}}/chunks/upserted`);
      await side(page).getByLabel("Method").selectOption("post");
      await header(page, 1, "Authorization", "AppKey {{3.AppKey}}");
      await side(page).getByLabel("Body type").selectOption("multipart_form_data");
      await side(page).getByRole("button", { name: "Add item to Fields" }).click();
      const part = side(page).getByRole("group", { name: "Fields, item 1" });
      await part.getByLabel(/^Key/).fill("file");
      await part.getByLabel(/^Field type/).selectOption("file");
      await part.getByLabel("Data", { exact: true }).fill("{{2.text}}");
      await part.getByLabel(/^File name/).fill("{{3.tableName}}");
      await side(page).getByRole("radiogroup", { name: "Parse response" }).getByLabel("Yes").check();

      await add(page, "http", /Make a request/, "Execute");
      await side(page).getByLabel(/^URL/).fill(`${PUSH}{{6.id}}`);
      await side(page).getByLabel("Method").selectOption("post");
      await header(page, 1, "Authorization", "AppKey {{3.AppKey}}");
      await header(page, 2, "Content-Type", "application/json");
      await side(page).getByLabel("Body type").selectOption("raw");
      await side(page).getByLabel("Content type").fill("application/json");
      await side(page).getByLabel(/^Request content|^Data|^Body$/).last().fill(" ");
      await side(page).getByRole("radiogroup", { name: "Parse response" }).getByLabel("Yes").check();
      await saved(page);
      await filter(page, "Create the push job", "Parse JSON", "The job was made", 5);
      await filter(page, "Push the CSV", "Execute", "The chunk was taken", 7);
      await accessible(page, "the whole flow");
      await pictures(page, "editor-webhook-to-pool");
    },
  ],
  [
    "requests wait at the address, and one run takes them all",
    async ({ page, memory }) => {
      for (const [order, date] of [["4711", "03.02.2026"], ["47;12", "28.02.2026"]]) {
        const sent = await fetch(memory.address, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ OrderId: order, DeliveryDate: date }) });
        assert.equal(sent.status, 200);
      }
      await page.getByRole("button", { name: "Run once" }).click();
      await page.getByRole("button", { name: /^Module 5: 1 operation, .*status 20[01]/ }).waitFor();
      await page.getByRole("button", { name: /^Module 7: 1 operation, .*status 20[01]/ }).waitFor();
      await page.getByRole("button", { name: /^Module 8: 1 operation, .*status 20[01]/ }).waitFor();
      await accessible(page, "a run of the whole flow");
      await pictures(page, "editor-webhook-to-pool-ran");
    },
  ],
  [
    "a schedule of five minutes, where fifteen stood",
    async ({ page }) => {
      await page.getByRole("button", { name: /^Schedule: / }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel(/^Run/).first().selectOption("indefinitely");
      const minutes = dialog.getByLabel(/^Minutes/);
      assert.equal(await minutes.inputValue(), "15");
      await minutes.fill("5");
      await accessible(page, "the schedule");
      await pictures(page, "editor-schedule");
      await dialog.getByRole("button", { name: /^(Save|OK|Set|Done)/ }).click();
      await page.getByRole("button", { name: /^Schedule: .*5 minutes/ }).waitFor();
      await saved(page);
    },
  ],
  [
    "published: the chip stands beside Run once, and the flow is switched on",
    async ({ page }) => {
      await page.getByRole("button", { name: "Publish", exact: true }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: /^Publish/ }).click();
      await page.getByText("Published", { exact: true }).first().waitFor();
      await page.getByRole("switch", { name: "Inactive" }).click();
      await page.getByRole("switch", { name: "Active" }).waitFor();
    },
  ],
  [
    "the rows are seen with SQL: the marked text is executed",
    async ({ page }) => {
      await page.getByRole("link", { name: "Data pools" }).click();
      await page.getByRole("link", { name: "warehouse" }).click();
      await page.getByRole("link", { name: "ContiPush" }).waitFor();
      await page.getByRole("tab", { name: "SQL editor" }).click();
      const editor = page.locator(".cm-content");
      await editor.click();
      await page.keyboard.press("Control+a");
      await page.keyboard.type('SELECT nonsense;\nSELECT*FROM "ContiPush"');
      // Only the second line is marked.
      await page.keyboard.press("Shift+Home");
      await page.getByRole("button", { name: "Execute" }).click();
      for (const cell of [/^4711$/, /^47;12$/, /^2026-02-28/]) await page.getByRole("cell", { name: cell }).first().waitFor();
      await exactly(1, page.getByRole("columnheader", { name: /Order ID/ }));
      await accessible(page, "rows in the SQL editor");
      await pictures(page, "sql-rows");
    },
  ],
  [
    "what was built is the example, module by module",
    async ({ url, memory }) => {
      const built = essence(await call(url, "GET", "/api/v1/flows/webhook-to-pool/blueprint?format=json&of=published"));
      const example = essence(JSON.parse((await readFile(EXAMPLE, "utf8")).replace("11111111-2222-4333-8444-555555555555", memory.pool).replace("put-the-application-key-here", Buffer.from(KEY).toString("base64"))));
      assert.deepEqual(built, example);
    },
  ],
];
