// Document 3 by browser: a trigger is found, a webhook subscribed to it; signed
// events come. The receiver breaks: state and lag are seen; it is mended, the
// subscription paused, resumed, and played again from the start.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

import { MODEL, SETTINGS, history, setClock, startReceiver, until } from "../filling.mjs";
import { accessible, call, exactly, pictures, signIn } from "../walker.mjs";

export const title = "a subscription, from its trigger to a replay";
export const settings = SETTINGS;

/** Checks a call as every library for Standard Webhooks does. */
function signed({ headers, body }, secret) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const text = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  return headers["webhook-signature"].split(" ").includes(`v1,${createHmac("sha256", key).update(text).digest("base64")}`);
}

const events = (receiver) => receiver.seen.filter(({ method }) => method === "POST");
const offsets = (calls) => calls.map(({ headers }) => Number(headers["loopwright-offset"]));
const came = (receiver, count) => until(`${count} events come`, () => events(receiver).length >= count);

/** Waits for a figure of the subscription's page, such as its lag. */
async function figure(page, name, value) {
  const place = page.locator("dl > div").filter({ has: page.locator("dt", { hasText: name }) });
  await place.locator("dd", { hasText: value }).waitFor();
}

const stands = (page, word) => page.locator(".title-with .chip", { hasText: word }).waitFor();

/** Does what stands among the actions, or behind "More". */
async function act(page, name, fill = async () => {}) {
  const button = page.getByRole("button", { name, exact: true });
  if (await button.isVisible()) await button.click();
  else {
    await page.getByRole("button", { name: "More to do" }).click();
    await page.getByRole("menuitem", { name, exact: true }).click();
  }
  const dialog = page.getByRole("dialog");
  await fill(dialog);
  await accessible(page, `the question before: ${name}`);
  await dialog.getByRole("button", { name, exact: true }).click();
  await dialog.waitFor({ state: "detached" });
}

export const steps = [
  [
    "a model's trigger is found, and has not fired yet",
    async ({ page, url, workspace, memory }) => {
      memory.receiver = await startReceiver();
      await history(url, workspace);
      await signIn(page, url);
      await page.getByRole("link", { name: "Knowledge models" }).click();
      await page.getByRole("link", { name: "Late steps" }).click();
      await page.getByRole("link", { name: "An order waits longer than usual in its step" }).click();
      await page.getByRole("heading", { name: "It has not fired yet" }).waitFor();
    },
  ],
  [
    "a webhook is subscribed, and its secret shown once",
    async ({ page, memory }) => {
      await page.getByRole("button", { name: "Subscribe a webhook" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel("Name").fill("Late orders");
      await dialog.getByLabel("Callback").fill(`${memory.receiver.url}/events`);
      await accessible(page, "the dialog of a new subscription");
      await page.keyboard.press("Enter");
      memory.secret = await page.getByLabel("The secret").inputValue();
      assert.match(memory.secret, /^whsec_/);
      await page.getByRole("button", { name: "I have kept it" }).click();
      await stands(page, "Active");
      await page.getByRole("heading", { name: "Nothing was sent yet" }).waitFor();
      memory.subscription = new URL(page.url()).pathname.split("/").at(-1);
    },
  ],
  [
    "time passes: signed events come, in order, and are seen as delivered",
    async ({ page, url, memory }) => {
      await setClock(url, "2011-09-27T00:00:00Z");
      await came(memory.receiver, 2);
      const calls = events(memory.receiver);
      assert.ok(calls.every((one) => signed(one, memory.secret)), "each call bears a signature that fits");
      assert.ok(!calls.some((one) => signed(one, "whsec_b3RoZXI=")), "and none of another secret");
      assert.deepEqual(offsets(calls), [1, 2]);
      await figure(page, "Delivered", /^2$/);
      await figure(page, "Lag", "up to date");
      await exactly(2, page.getByRole("cell", { name: "Delivered", exact: true }));
      await pictures(page, "subscription-delivered");
    },
  ],
  [
    "the trigger's page tells the same events",
    async ({ page }) => {
      await page.getByRole("tab", { name: "Settings" }).click();
      await page.getByRole("link", { name: `${MODEL}/LONG_WAIT` }).click();
      await page.getByText("2 fired").waitFor();
      await exactly(2, page.getByRole("row").filter({ hasText: "Approve Purchase Order for payment" }));
      await page.goBack();
    },
  ],
  [
    "the receiver breaks: the state and the lag are seen, and the answer",
    async ({ page, url, memory }) => {
      const { receiver, subscription } = memory;
      // The usual patience would take minutes; and nobody is to mend it but the person.
      await call(url, "PATCH", `/api/v1/subscriptions/${subscription}/delivery`, { retryPausesMs: [20], probeFirstMs: 86_400_000, probeMaxMs: 86_400_000 });
      receiver.broken = true;
      await setClock(url, "2011-09-28T00:00:00Z");
      await stands(page, "Failed");
      await figure(page, "Lag", "4 events wait");
      await page.getByRole("tab", { name: "Deliveries" }).click();
      await page.getByLabel("Show").selectOption("failed");
      await page.getByRole("cell", { name: "503 Service Unavailable" }).first().waitFor();
      await accessible(page, "a failed subscription");
      await pictures(page, "subscription-broken");
    },
  ],
  [
    "home tells of it, and leads back",
    async ({ page }) => {
      await page.getByRole("link", { name: "Home", exact: true }).click();
      const matters = page.getByRole("region", { name: "Waits for somebody" });
      await matters.getByText("Failed").waitFor();
      await matters.getByRole("link", { name: "Late orders" }).click();
      await stands(page, "Failed");
    },
  ],
  [
    "it is mended: a replay from the first that waits sets it going, and nothing is lost",
    async ({ page, memory }) => {
      const { receiver } = memory;
      receiver.broken = false;
      receiver.seen.splice(0);
      await act(page, "Replay", (dialog) => dialog.getByLabel("From offset").fill("3"));
      await stands(page, "Active");
      await came(receiver, 4);
      assert.deepEqual(offsets(events(receiver)), [3, 4, 5, 6]);
      await figure(page, "Lag", "up to date");
    },
  ],
  [
    "paused: events wait, and none is sent",
    async ({ page, url, memory }) => {
      memory.receiver.seen.splice(0);
      await act(page, "Pause");
      await stands(page, "Paused");
      await setClock(url, "2011-09-30T00:00:00Z");
      await figure(page, "Lag", "4 events wait");
      assert.deepEqual(events(memory.receiver), []);
      await pictures(page, "subscription-paused-with-lag");
    },
  ],
  [
    "resumed: what waited comes, from where it was paused",
    async ({ page, memory }) => {
      await act(page, "Resume");
      await stands(page, "Active");
      await came(memory.receiver, 4);
      assert.deepEqual(offsets(events(memory.receiver)), [7, 8, 9, 10]);
      await figure(page, "Lag", "up to date");
    },
  ],
  [
    "replayed from the start: the same ids once more, and they say so",
    async ({ page, memory }) => {
      memory.receiver.seen.splice(0);
      await act(page, "Replay", (dialog) => dialog.getByLabel("From offset").fill("1"));
      await came(memory.receiver, 10);
      const calls = events(memory.receiver);
      assert.deepEqual(offsets(calls), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      assert.ok(calls.every((one) => one.headers["loopwright-replay"] === "true" && signed(one, memory.secret)));
      await figure(page, "Lag", "up to date");
    },
  ],
  [
    "it is deleted, and the list says what to do",
    async ({ page, errors, memory }) => {
      await act(page, "Delete");
      await page.getByRole("heading", { name: "Nobody has subscribed yet" }).waitFor();
      // The news of it may come before the answer, while its page still looks at it.
      errors.splice(0, errors.length, ...errors.filter((error) => !error.includes("404")));
      memory.receiver.stop();
    },
  ],
];
