// Data structures: which fields data has, of which types.

import { json, type Of } from "../api/client";

export const TYPES = ["text", "number", "integer", "boolean", "date", "time", "buffer", "collection", "array"] as const;

/** A field; an array says of what it is, or which fields its collections have. */
export interface Field {
  name: string;
  label?: string;
  type: string;
  required?: boolean;
  default?: unknown;
  spec?: Field[] | { type: string; spec?: Field[]; [key: string]: unknown };
  [key: string]: unknown;
}

export type Structure = Omit<Of<"DataStructure">, "spec"> & { spec: Field[] };

const V1 = "/api/v1/data-structures";
const at = (name: string) => `${V1}/${encodeURIComponent(name)}`;

export const structures = {
  show: (name: string) => json<Structure>("GET", at(name)),
  put: (name: string, settings: { spec?: Field[]; sample?: string; strict?: boolean; importedIds?: number[] }) => json<Structure>("PUT", at(name), settings),
};
