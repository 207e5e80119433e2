// The flow of `cargo xtask bench flows` as a service of Restate: each step durable.
import http from "node:http";
import * as restate from "@restatedev/restate-sdk";

const [port, sink] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true });

function ask(method, path, body) {
  const text = body === undefined ? "" : JSON.stringify(body);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  return new Promise((done, failed) => {
    const call = http.request({ port: sink, host: "127.0.0.1", method, path, agent, headers }, (answer) => {
      let read = "";
      answer.on("data", (piece) => (read += piece));
      answer.on("end", () => done(JSON.parse(read)));
    });
    call.on("error", failed);
    call.end(text);
  });
}

async function mapped(ctx, order) {
  const set = await ctx.run("set", () => ({ order: order.orderId, amount: order.amount }));
  if (!(await ctx.run("filter", () => set.amount > 100))) return null;
  return ctx.run("map", () => ({ id: set.order, total: set.amount * 1.2, n: order.items.length }));
}

async function hook(ctx, order) {
  const body = await mapped(ctx, order);
  return body && ctx.run("call", () => ask("POST", "/orders", body));
}

const orders = restate.service({
  name: "orders",
  handlers: {
    hook,
    pure: mapped,
    later: hook,
    poll: async (ctx, order) => {
      for (let round = 0; round < 20; round++) {
        await ctx.sleep(100);
        const { state } = await ctx.run("status", () => ask("GET", "/status"));
        if (state !== "running") return;
      }
    },
    sleep: async (ctx, order) => {
      const set = await ctx.run("set", () => ({ order: order.orderId }));
      await ctx.sleep(order.wait * 1000);
      return ctx.run("call", () => ask("POST", "/orders", { id: set.order }));
    },
  },
});

restate.serve({ services: [orders], port });
