// Webhooks as the API shows them.

import { json, type Of } from "../api/client";

/** A field that data is made of. */
export interface Item {
  name: string;
  type: string;
  required?: boolean;
  spec?: Item[] | { type: string; spec?: Item[] };
}

export type Learning = { state: "never" } | { state: "listening"; since: string } | { state: "determined"; at: string; items: Item[] };

export type Hook = Omit<Of<"Hook">, "learning"> & { learning: Learning };

export interface HookSettings {
  label: string;
  enabled?: boolean;
  addresses?: string;
  withHeaders?: boolean;
  withMethod?: boolean;
  passThrough?: boolean;
  structure?: unknown;
  onMismatch?: "refuse" | "ignore";
  importedIds?: number[];
}

const V1 = "/api/v1/hooks";
const at = (name: string) => `${V1}/${encodeURIComponent(name)}`;

export const hooks = {
  list: () => json<Hook[]>("GET", V1),
  show: (name: string) => json<Hook>("GET", at(name)),
  put: (name: string, settings: HookSettings) => json<Hook>("PUT", at(name), settings),
  remove: (name: string) => json<void>("DELETE", at(name)),
  renew: (name: string) => json<Hook>("POST", `${at(name)}/renew`),
  listen: (name: string) => json<Hook>("POST", `${at(name)}/listen`),
  stop: (name: string) => json<Hook>("DELETE", `${at(name)}/listen`),
};

/** The address that a sender is given. */
export const addressOf = (hook: Hook): string | null => (hook.path === undefined ? null : `${location.origin}${hook.path}`);

/** What a hook is set to, as it is set again. */
export const settingsOf = (hook: Hook): HookSettings => ({
  label: hook.label,
  enabled: hook.enabled,
  addresses: hook.addresses.join(", "),
  withHeaders: hook.withHeaders,
  withMethod: hook.withMethod,
  passThrough: hook.passThrough,
  structure: hook.structure,
  onMismatch: hook.onMismatch,
  ...(hook.importedIds === undefined ? {} : { importedIds: hook.importedIds }),
});

/** A name for the address bar and for flows, made of what people call it. */
export const nameOf = (label: string): string =>
  label
    .toLowerCase()
    .normalize("NFKD")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
