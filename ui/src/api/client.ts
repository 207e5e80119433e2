// Calls of our own API. Their types are made from the API's own description
// (`npm run types`), so there is no second model of it here.

import createClient, { type Middleware } from "openapi-fetch";

import { authorization } from "../session";
import { ApiError } from "./error";
import type { components, paths } from "./schema";
import { readJson, writeJson } from "./exact";

export { ApiError };

/** What the API calls a thing. */
export type Of<Name extends keyof components["schemas"]> = components["schemas"][Name];

const signed: Middleware = {
  onRequest({ request }) {
    const header = authorization();
    if (header !== null) request.headers.set("authorization", header);
    if (!request.headers.has("accept")) request.headers.set("accept", "application/json");
    return request;
  },
};

export const api = createClient<paths>({ baseUrl: location.origin });
api.use(signed);

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** Waits for a call and returns its body, or throws an {@link ApiError}. */
export async function told<Data>(call: Promise<Answer<Data>>): Promise<Data> {
  let answer: Answer<Data>;
  try {
    answer = await call;
  } catch {
    throw new ApiError(0, "The server does not answer. Is it running?", null);
  }
  if (!answer.response.ok) throw errorOf(answer.response, answer.error);
  return answer.data as Data;
}

/**
 * Calls an address whose body the description does not tell yet, or that is not
 * JSON. Prefer {@link api}.
 */
export async function send(method: string, path: string, body?: BodyInit, headers: HeadersInit = {}, signal?: AbortSignal): Promise<Response> {
  const asked = new Headers(headers);
  const header = authorization();
  if (header !== null) asked.set("authorization", header);
  let response: Response;
  try {
    response = await fetch(path, { method, headers: asked, body: body ?? null, signal: signal ?? null });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ApiError(0, "The server does not answer. Is it running?", null);
  }
  if (!response.ok) throw errorOf(response, await response.text());
  return response;
}

/** The same for JSON both ways. */
export async function json<Data>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Data> {
  const text = body === undefined ? undefined : writeJson(body);
  const headers: HeadersInit = { accept: "application/json" };
  if (text !== undefined) headers["content-type"] = "application/json";
  const response = await send(method, path, text, headers, signal);
  const answer = await response.text();
  return (answer === "" ? undefined : readJson(answer)) as Data;
}

function errorOf(response: Response, said: unknown): ApiError {
  const fallback = response.statusText || `status ${response.status}`;
  let problem: Record<string, unknown> = {};
  if (typeof said === "string") {
    try {
      problem = readJson(said) as Record<string, unknown>;
    } catch {
      return new ApiError(response.status, said === "" ? fallback : said, null);
    }
  } else if (typeof said === "object" && said !== null) {
    problem = said as Record<string, unknown>;
  }
  const words = [problem["detail"], problem["title"]].find((text) => typeof text === "string");
  const code = typeof problem["code"] === "string" ? problem["code"] : null;
  return new ApiError(response.status, (words as string | undefined) ?? fallback, code, problem);
}
