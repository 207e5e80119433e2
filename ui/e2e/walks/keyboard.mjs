// A flow is built, run, looked at and published without a mouse; the focus is
// never lost on the way.

import assert from "node:assert/strict";

import { KEY, accessible, call } from "../walker.mjs";

export const title = "a flow by the keyboard alone";

/** What has the focus, as people who hear a page are told. */
const focused = (page) =>
  page.evaluate(() => {
    const at = document.activeElement;
    return at === null || at === document.body ? "" : `${at.getAttribute("aria-label") ?? ""} ${at.textContent ?? ""}`.trim() || at.tagName;
  });

/** Goes on with Tab until something has the focus; it must be reached within a round of the page. */
async function tabTo(page, wanted, key = "Tab") {
  for (let presses = 0; presses < 90; presses += 1) {
    // Also inside of a field that has a shadow root.
    if (await wanted.evaluate((element) => element.matches(":focus-within"))) return;
    await page.keyboard.press(key);
  }
  assert.fail(`Tab leads to ${wanted}; it ended at ${await focused(page)}`);
}

const canvas = (page, name) => page.getByRole("group", { name });
const side = (page) => page.getByRole("complementary", { name: "Settings of the module" });
async function hasFocus(element) {
  await element.waitFor();
  const handle = await element.elementHandle();
  await element.page().waitForFunction((one) => one.matches(":focus"), handle, { timeout: 5000 }).catch(async () => {
    assert.fail(`${element} has the focus, not ${await focused(element.page())}`);
  });
}

export const steps = [
  [
    "signed in; the first Tab offers to skip to the content",
    async ({ page, url }) => {
      await page.goto(`${url}/flows`);
      await page.getByLabel("App key").waitFor();
      await tabTo(page, page.getByLabel("App key"));
      await page.keyboard.type(KEY);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Flows", exact: true }).waitFor();
      await tabTo(page, page.getByRole("link", { name: "Skip to the content" }));
      await page.keyboard.press("Enter");
      await tabTo(page, page.getByRole("button", { name: "New flow" }).first());
    },
  ],
  [
    "a dialog takes the focus, and gives it to what comes next",
    async ({ page }) => {
      await page.keyboard.press("Enter");
      await hasFocus(page.getByRole("dialog").getByLabel("Name", { exact: true }));
      await page.keyboard.press("Escape");
      await hasFocus(page.getByRole("button", { name: "New flow" }).first());
      await page.keyboard.press("Enter");
      await page.keyboard.type("Keys");
      await page.keyboard.press("Enter");
      const manual = page.getByRole("button", { name: /^Manual/ });
      await manual.waitFor();
      await tabTo(page, manual);
      await page.keyboard.press("Enter");
      await canvas(page, /^Run by hand|^Manual|^Start by hand/).first().waitFor();
    },
  ],
  [
    "a module is added, set up, and left again for the canvas",
    async ({ page }) => {
      const start = canvas(page, /^Manual/).first();
      await tabTo(page, start);
      await page.keyboard.press("+");
      await hasFocus(page.getByRole("combobox", { name: "Search modules" }));
      await page.keyboard.press("Escape");
      await hasFocus(start);
      await page.keyboard.press("+");
      await hasFocus(page.getByRole("combobox", { name: "Search modules" }));
      await page.keyboard.type("compose");
      await page.getByRole("option", { name: /Compose a string/ }).first().waitFor();
      await page.keyboard.press("Enter");
      const text = side(page).getByRole("textbox", { name: "Text" });
      await text.waitFor();
      await tabTo(page, text);
      await page.keyboard.type("Hello");
      await page.keyboard.press("Escape");
      await hasFocus(canvas(page, /^Compose a string/).first());
    },
  ],
  [
    "arrows go from module to module, and Delete, undo and redo tell what they did",
    async ({ page }) => {
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("ArrowRight");
      await hasFocus(canvas(page, /^Compose a string/).first());
      await page.keyboard.press("Control+c");
      await page.keyboard.press("Control+v");
      await canvas(page, /^Compose a string/).nth(1).waitFor();
      await page.keyboard.press("Control+z");
      await canvas(page, /^Compose a string/).nth(1).waitFor({ state: "detached" });
      await page.getByRole("status").getByText(/^Undone: /).waitFor();
      await canvas(page, /^Compose a string/).first().focus();
      await page.keyboard.press("Delete");
      await canvas(page, /^Compose a string/).waitFor({ state: "detached" });
      assert.notEqual(await focused(page), "", "the focus is somewhere after what had it is gone");
      await page.keyboard.press("Control+z");
      await canvas(page, /^Compose a string/).first().waitFor();
      await page.getByRole("toolbar", { name: "Flow" }).getByRole("button", { name: "Saved", exact: true }).waitFor();
    },
  ],
  [
    "undo reaches back beyond a reload",
    async ({ page }) => {
      await page.reload();
      await canvas(page, /^Compose a string/).first().waitFor();
      await canvas(page, /^Compose a string/).first().focus();
      await page.keyboard.press("Control+y");
      await canvas(page, /^Compose a string/).waitFor({ state: "detached" });
      await page.keyboard.press("Control+z");
      await canvas(page, /^Compose a string/).first().waitFor();
    },
  ],
  [
    "it is run, and what a module gave is read in its bubble",
    async ({ page }) => {
      await tabTo(page, page.getByRole("button", { name: "Run once" }));
      await page.keyboard.press("Enter");
      const bubble = page.getByRole("button", { name: /^Module 2: 1 operation, / });
      await bubble.waitFor();
      await page.getByRole("status").getByText(/The run ended: success/).first().waitFor();
      await tabTo(page, bubble);
      await page.keyboard.press("Enter");
      await page.getByRole("group", { name: "Output" }).getByText("Hello").first().waitFor();
      await accessible(page, "a bubble that was opened by keys");
      await page.keyboard.press("Escape");
      await hasFocus(bubble);
    },
  ],
  [
    "keys are told where they are asked for, and the flow is published",
    async ({ page, url }) => {
      await canvas(page, /^Compose a string/).first().focus();
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keys" }).waitFor();
      await accessible(page, "the keys");
      await page.keyboard.press("Escape");
      await hasFocus(canvas(page, /^Compose a string/).first());
      await tabTo(page, page.getByRole("button", { name: "Publish", exact: true }), "Shift+Tab");
      await page.keyboard.press("Enter");
      await tabTo(page, page.getByRole("dialog").getByRole("button", { name: /^Publish/ }));
      await page.keyboard.press("Enter");
      await page.getByText("Published", { exact: true }).first().waitFor();
      assert.equal((await call(url, "GET", "/api/v1/flows/keys")).version, 1);
    },
  ],
];
