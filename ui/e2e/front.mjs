// A built UI before a program that has another one, or none: files come from the
// folder, everything else from the program. With LOOPWRIGHT_TEST_UI=dist the walks
// see what this checkout has built, whichever clone the program was compiled in.

import { readFile } from "node:fs/promises";
import { createServer, request as ask } from "node:http";
import { extname, join } from "node:path";

const KINDS = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2" };

/** Addresses at which the program never answers with a page. */
const BELONGS_TO_API = /^\/(api|integration|intelligence|data-ingestion|hooks|health|metrics|oauth2)(\/|$)/;

/** Starts a front for a program's address; `home` is the page of every address of the application. */
export async function startFront(program, folder, home) {
  const server = createServer((request, answer) => {
    serve(request, answer).catch(() => answer.destroy());
  });
  async function serve(request, answer) {
    const path = new URL(request.url, program).pathname;
    const isPage = request.method === "GET" && (request.headers.accept ?? "").includes("text/html");
    const isFile = request.method === "GET" && /^\/(assets\/|[\w.-]+\.(svg|png|ico|webmanifest)$)/.test(path);
    if (isFile || (isPage && !BELONGS_TO_API.test(path))) {
      const name = isFile ? path : home;
      const body = await readFile(join(folder, name));
      answer.writeHead(200, { "content-type": KINDS[extname(name)] ?? "application/octet-stream" }).end(body);
      return;
    }
    pass(request, answer);
  }
  function pass(request, answer) {
    const { hostname, port } = new URL(program);
    const { method, headers, url: path } = request;
    // Nobody compresses here, so that a stream is passed on as it comes.
    const onward = ask({ hostname, port, method, path, headers: { ...headers, "accept-encoding": "identity" } }, (told) => {
      answer.writeHead(told.statusCode, told.headers);
      told.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    request.pipe(onward);
  }
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
