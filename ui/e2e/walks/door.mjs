// The door, the home page, and colours.

import assert from "node:assert/strict";
import { join } from "node:path";

import { KEY, PICTURES, accessible, pushThreeRows } from "../walker.mjs";

export const title = "the door and the home page";

export const steps = [
  [
    "the sign-in page asks for a key",
    async ({ page, url }) => {
      await page.goto(url);
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
      await accessible(page, "the sign-in page");
    },
  ],
  [
    "a wrong key is told in words",
    async ({ page, errors }) => {
      await page.getByLabel("App key").fill("nobody:nothing");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").getByText("This key is not known here").waitFor();
      // The browser itself writes a line about every 401.
      const announced = errors.splice(0).filter((error) => !error.includes("401"));
      assert.deepEqual(announced, []);
    },
  ],
  [
    "the right key opens the loop, and an empty one says what to do",
    async ({ page }) => {
      await page.getByLabel("App key").fill(KEY);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "The loop" }).waitFor();
      await page.getByText("Nothing has come in yet").waitFor();
      await page.screenshot({ path: join(PICTURES, "home-empty.png") });
      await accessible(page, "the empty home page");
    },
  ],
  [
    "rows that come in are seen without a reload",
    async ({ page, url }) => {
      await pushThreeRows(url);
      const station = page.getByRole("listitem").filter({ hasText: "Rows in" });
      await station.getByText("3", { exact: true }).waitFor();
      await page.getByText("Nothing has come in yet").waitFor({ state: "detached" });
      await page.screenshot({ path: join(PICTURES, "home-light.png") });
    },
  ],
  [
    "dark colours are one key away and stay after a reload",
    async ({ page }) => {
      await page.getByRole("button", { name: "Switch to dark colours" }).click();
      await page.reload();
      await page.getByRole("heading", { name: "The loop" }).waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
      await page.screenshot({ path: join(PICTURES, "home-dark.png") });
      await accessible(page, "the dark home page");
    },
  ],
  [
    "signing out leads back to the door",
    async ({ page }) => {
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
    },
  ],
];
