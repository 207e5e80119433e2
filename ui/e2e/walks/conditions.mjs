// What decides: an if-else with its branches, a repetition with its end, and the
// verdict with the last values before anything runs.

import assert from "node:assert/strict";

import { until } from "../filling.mjs";
import { KEY, accessible, call, pictures, signIn } from "../walker.mjs";

export const title = "what decides is set up";

const ORDER = JSON.stringify({ order: "4711", days: 6, lines: [{ sku: "B-2" }, { sku: "A-1" }] });
const FLOW = {
  name: "Decide",
  flow: [{ id: 1, module: "json:ParseJSON", version: 1, mapper: { json: ORDER }, metadata: { designer: { name: "Read the order" } } }],
};

const side = (page, name = "Settings of the module") => page.getByRole("complementary", { name });
const module = async (url, id) => {
  const { document } = await call(url, "GET", "/api/v1/flows/decide/document");
  const all = (list) => list.flatMap((one) => [one, ...all(one.flow ?? []), ...(one.branches ?? []).flatMap((branch) => all(branch.flow ?? []))]);
  return all(document.flow).find((one) => one.id === id);
};

async function add(page, after, words, option) {
  await page.getByRole("button", { name: after }).click();
  await page.getByRole("combobox", { name: "Search modules" }).fill(words);
  await page.getByRole("option", { name: option }).first().click();
  await side(page).getByRole("heading", { level: 2 }).waitFor();
}

export const steps = [
  [
    "an if-else is put behind a module, and its first branch set up",
    async ({ page, url }) => {
      const put = await fetch(`${url}/api/v1/flows/decide/document`, {
        method: "PUT",
        headers: { authorization: `AppKey ${btoa(KEY)}`, "content-type": "application/json", "if-none-match": "*" },
        body: JSON.stringify(FLOW),
      });
      assert.ok(put.ok, await put.text());
      await signIn(page, url);
      await page.goto(`${url}/flows/decide`);
      await add(page, "Add a module after Read the order", "if", /If-else/);
      const branch = side(page).getByRole("group", { name: "Branch 1" });
      await branch.getByLabel("Label").fill("Late");
      await branch.getByRole("textbox", { name: "Value", exact: true }).fill("{{1.days}}");
      await branch.getByLabel("Operator", { exact: true }).selectOption("number:greater");
      await branch.getByLabel("Compared with").fill("5");
      await branch.getByText("Whether it holds is seen here once “Read the order” has run.").waitFor();
      await accessible(page, "the branches of an if-else");
      await pictures(page, "editor-branches");
    },
  ],
  [
    "with the last values it is said which way a bundle would go, and why",
    async ({ page }) => {
      const branch = side(page).getByRole("group", { name: "Branch 1" });
      await branch.getByRole("button", { name: /^Run that module only/ }).last().click();
      await branch.getByText("This branch would be taken with the last values: 6 is greater than 5").waitFor();
      await branch.getByLabel("Compared with").fill("7");
      await branch.getByText("This branch would not be taken with the last values: 6 is greater than 7 does not hold").waitFor();
      await branch.getByLabel("Compared with").fill("5");
      await branch.getByText("would be taken with the last values: 6").waitFor();
      await accessible(page, "a verdict");
      await pictures(page, "editor-verdict");
    },
  ],
  [
    "branches are added, put in order and removed, and stored as they stand",
    async ({ page, url }) => {
      await side(page).getByRole("button", { name: "Add a branch" }).click();
      await side(page).getByRole("button", { name: "Ask branch 2 earlier" }).click();
      await side(page).getByRole("group", { name: "Branch 2" }).and(side(page).locator("fieldset:has(input[value=Late])")).waitFor();
      await side(page).getByRole("button", { name: "Ask branch 1 later" }).click();
      await side(page).getByRole("group", { name: "Branch 1" }).and(side(page).locator("fieldset:has(input[value=Late])")).waitFor();
      await side(page).getByRole("group", { name: "Branch 2" }).getByRole("button", { name: "Remove this branch" }).click();
      await side(page).getByRole("group", { name: "Branch 2" }).waitFor({ state: "detached" });
      const other = side(page).getByRole("group", { name: "Else", exact: true });
      // Undo takes back that it was added again, and then that it was removed.
      await other.getByRole("button", { name: "Remove else" }).click();
      await other.waitFor({ state: "detached" });
      await side(page).getByRole("button", { name: "Add else" }).click();
      await other.waitFor();
      await side(page).getByRole("heading", { level: 2 }).click();
      await page.keyboard.press("Control+z");
      await other.waitFor({ state: "detached" });
      await page.keyboard.press("Control+z");
      await other.waitFor();
      const conditions = [[{ a: "{{1.days}}", o: "number:greater", b: "5" }]];
      await until("the branches are stored", async () => {
        const { branches } = (await module(url, 2)) ?? {};
        return branches?.length === 2 && JSON.stringify(branches[0].conditions) === JSON.stringify(conditions) && branches[0].label === "Late";
      });
    },
  ],
  [
    "an item of a list is mapped by its place, and every one at once",
    async ({ page, url }) => {
      await page.getByRole("button", { name: /^Add a module to late/i }).click();
      await page.getByRole("combobox", { name: "Search modules" }).fill("compose");
      await page.getByRole("option", { name: /Compose a string/ }).first().click();
      await side(page).getByRole("textbox", { name: "Text" }).click();
      await side(page).getByRole("button", { name: "Unfold lines" }).click();
      await side(page).getByLabel("Item of lines").selectOption("2");
      await side(page).getByRole("button", { name: "sku", exact: true }).click();
      await page.locator(".result").getByText("A-1", { exact: true }).waitFor();
      await side(page).getByLabel("Item of lines").selectOption("all");
      await side(page).getByRole("textbox", { name: "Text" }).fill("");
      await side(page).getByRole("button", { name: "sku", exact: true }).click();
      await page.locator(".result").getByText('["B-2","A-1"]').waitFor();
      await accessible(page, "every item of a list");
      await until("it is stored", async () => (await module(url, 3))?.mapper?.value === '{{map(1.lines; "sku")}}');
    },
  ],
  [
    "the wire to it is the branch's own; run once shows the way that was taken",
    async ({ page }) => {
      await page.getByRole("group", { name: /^Wire from If-else to Compose/ }).focus();
      await page.keyboard.press("Enter");
      const panel = side(page, "Filter on the wire");
      await panel.getByRole("heading", { name: "Set up a branch" }).waitFor();
      await panel.getByText("6 is greater than 5").waitFor();
      await pictures(page, "editor-branch-wire");
      await page.getByRole("button", { name: "Run once" }).click();
      // An if-else does nothing of its own: why it chose stands where it led.
      await page.getByRole("button", { name: /^Module 3: 1 operation, / }).click();
      const bubble = page.getByRole("dialog", { name: "What module 3 did" });
      await bubble.getByText("Late: Passed: 6 is greater than 5").waitFor();
      await accessible(page, "the way that was taken");
      await pictures(page, "editor-way-taken");
      await page.keyboard.press("Escape");
      await bubble.waitFor({ state: "detached" });
    },
  ],
  [
    "a repetition ends where its condition holds",
    async ({ page, url }) => {
      await add(page, "Add a module after If-else", "repeat until", /Repeat until/);
      await page.getByRole("button", { name: /^Add a module to repeated/i }).click();
      await page.getByRole("combobox", { name: "Search modules" }).fill("increment");
      await page.getByRole("option", { name: /Increment/ }).first().click();
      await page.getByRole("group", { name: /^Repeat until/ }).first().focus();
      await page.keyboard.press("Enter");
      const ends = side(page).getByRole("group", { name: "Until" });
      await ends.getByRole("textbox", { name: "Value", exact: true }).fill("{{6.i}}");
      await ends.getByLabel("Operator", { exact: true }).selectOption("number:equal");
      await ends.getByLabel("Compared with").fill("3");
      await accessible(page, "the end of a repetition");
      await until("it is stored", async () => (await module(url, 4))?.until?.conditions?.[0]?.[0]?.b === "3");
      await page.getByRole("button", { name: "Run once" }).click();
      await page.getByRole("button", { name: /^Module 6: 3 operations, / }).waitFor();
      await ends.getByText("It would end here").waitFor();
      await pictures(page, "editor-until");
    },
  ],
];
