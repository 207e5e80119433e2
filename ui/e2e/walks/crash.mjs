// The program ends while a run is asking somebody else to do something: nobody
// knows whether it was done, a person looks and decides, and the run goes on.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";

import { SETTINGS } from "../filling.mjs";
import { looked } from "../seen.mjs";
import { accessible, call, signIn } from "../walker.mjs";

export const title = "a run of which nobody knows what it did";
export const settings = SETTINGS;

/** Takes orders and says nothing, until it is told to answer. */
async function startShop() {
  const shop = { orders: 0, answers: false };
  const server = createServer(async (request, answer) => {
    for await (const _ of request);
    shop.orders += 1;
    server.emit("ordered");
    if (shop.answers) answer.writeHead(201, { "content-type": "application/json" }).end('{"order": 7}');
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  shop.ordered = () => once(server, "ordered");
  shop.stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return Object.assign(shop, { url: `http://127.0.0.1:${server.address().port}/orders` });
}

export const steps = [
  [
    "the program ends in the middle of an order",
    async ({ page, url, crash, memory }) => {
      const shop = (memory.shop = await startShop());
      await call(url, "PUT", "/api/v1/flows/order", {
        name: "Order",
        flow: [
          { id: 1, module: "loopwright:Manual" },
          { id: 2, module: "http:ActionSendData", parameters: {}, mapper: { url: shop.url, method: "post", bodyType: "raw", contentType: "application/json", data: '{"pieces": 3}', parseResponse: true } },
          { id: 3, module: "util:SetVariable2", mapper: { name: "order", scope: "roundtrip", value: "{{2.data.order}}" } },
        ],
      });
      await signIn(page, url);
      await page.goto(`${url}/flows`);
      const ordered = shop.ordered();
      memory.run = (await call(url, "POST", "/api/v1/flows/order/run", {})).id;
      await ordered;
      // The page stays open, and is not to complain while nobody answers.
      await page.goto("about:blank");
      await crash();
    },
  ],
  [
    "the list of runs says that somebody has to decide",
    async ({ page, url }) => {
      await page.goto(`${url}/runs?status=held`);
      await page.getByRole("group", { name: "Decide how the run goes on" }).waitFor();
      await looked(page, "runs-held");
    },
  ],
  [
    "its page says what happened, and nothing was asked twice",
    async ({ page, url, memory }) => {
      await page.goto(`${url}/runs/${memory.run}`);
      await page.getByText("nobody knows whether that was done").waitFor();
      await looked(page, "run-held");
      assert.equal(memory.shop.orders, 1);
    },
  ],
  [
    "the person has looked, and has it done again",
    async ({ page, memory }) => {
      memory.shop.answers = true;
      await page.getByRole("button", { name: "Do it again" }).click();
      await page.getByText("Success", { exact: true }).first().waitFor();
      await accessible(page, "the run that went on");
      assert.equal(memory.shop.orders, 2);
      memory.shop.stop();
    },
  ],
];
