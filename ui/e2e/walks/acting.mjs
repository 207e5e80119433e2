// A person who may run flows and not change them: gets a key, finds a case, does
// something about it, and a task is answered.

import assert from "node:assert/strict";

import { MODEL, SETTINGS, history } from "../filling.mjs";
import { accessible, call, pictures, signIn } from "../walker.mjs";

export const title = "a person who may not change flows acts on a case";
export const settings = SETTINGS;

/** An order for which the example's action holds. */
async function openCase(url) {
  const { cases } = await call(url, "GET", `/api/v1/models/${MODEL}/cases?limit=200`);
  for (const { id } of cases) {
    const { actions } = await call(url, "GET", `/api/v1/models/${MODEL}/cases/${id}`);
    if (actions.some(({ applies }) => applies)) return id;
  }
  throw new Error("no order is open");
}

export const steps = [
  [
    "a key is made, and may see and run flows",
    async ({ page, url, workspace, memory }) => {
      await history(url, workspace);
      memory.case = await openCase(url);
      await signIn(page, url);
      await page.getByRole("link", { name: "App keys" }).click();
      await page.getByRole("button", { name: "New app key" }).click();
      await page.getByRole("dialog").getByLabel("Name").fill("analyst");
      await page.keyboard.press("Enter");
      memory.key = await page.getByLabel("The secret").inputValue();
      await page.getByRole("button", { name: "I have kept it" }).click();
      await page.getByRole("button", { name: "Rights of analyst" }).click();
      const dialog = page.getByRole("dialog");
      for (const right of [/^See flows and models/, /^Run flows/]) {
        await dialog.getByRole("checkbox", { name: right }).click();
        await dialog.getByRole("checkbox", { name: right, checked: true }).waitFor();
      }
      await accessible(page, "the rights of a key");
      await pictures(page, "app-key-rights");
      await dialog.getByRole("button", { name: "Done" }).click();
      await page.getByRole("button", { name: "Sign out" }).click();
    },
  ],
  [
    "who signs in with it looks at flows, and starts them by their form",
    async ({ page, memory }) => {
      await page.getByLabel("App key").fill(memory.key);
      await page.keyboard.press("Enter");
      await page.getByRole("link", { name: "Flows", exact: true }).click();
      await page.getByRole("link", { name: "Run Chase an order" }).waitFor();
      assert.equal(await page.getByRole("button", { name: "New flow" }).count(), 0);
      await page.getByRole("link", { name: "Chase an order", exact: true }).click();
      await page.getByText("You may look").waitFor();
      assert.equal(await page.getByRole("button", { name: /^Publish/ }).count(), 0);
      await accessible(page, "a flow to look at");
      await pictures(page, "editor-readonly");
      await page.getByRole("toolbar", { name: "Flow" }).getByRole("link", { name: "Run" }).click();
      await page.getByRole("button", { name: "Run", exact: true }).click();
      await page.getByText("Fill this in.").first().waitFor();
    },
  ],
  [
    "the page of a case offers what can be done, its form filled",
    async ({ page, url, memory }) => {
      await page.goto(`${url}/models/${MODEL}/cases/${memory.case}`);
      await pictures(page, "case-actions");
      await page.getByRole("button", { name: "Chase this order" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Order").waitFor();
      assert.equal(await dialog.getByLabel("Order").inputValue(), memory.case);
      await dialog.getByLabel("What is to be done").fill("Call the vendor.");
      await accessible(page, "an action on a case");
      await pictures(page, "case-action");
      await dialog.getByRole("button", { name: "Run", exact: true }).click();
      await dialog.getByText("Waiting").waitFor();
      await pictures(page, "case-action-waits");
      await page.keyboard.press("Escape");
    },
  ],
  [
    "the task is in the inbox, is answered, and the run ends",
    async ({ page, memory }) => {
      await page.getByRole("link", { name: /^Tasks/ }).click();
      await page.getByRole("link", { name: `Chase order ${memory.case}` }).click();
      await page.getByText("Call the vendor.").waitFor();
      await page.getByRole("button", { name: "Approve" }).click();
      await page.getByText("Approved").first().waitFor();
      await page.getByRole("link", { name: "Runs", exact: true }).click();
      await page.getByRole("row", { name: /Chase an order/ }).getByText("Success").waitFor();
    },
  ],
];
