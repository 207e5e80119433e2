// What the mapping language offers, and what a template comes to. Until the
// description of the API tells these bodies they are written down here.

import { useQuery } from "@tanstack/react-query";

import { json } from "../../../api/client";

export interface MappingFunction {
  name: string;
  /** `general`, `math`, `text`, `date` or `array`. */
  group: string;
  /** Its parameters; those in brackets may be left out. */
  signature: string;
  summary: string;
  examples: { template: string; result: unknown }[];
}

export interface Language {
  functions: MappingFunction[];
  keywords: { name: string; summary: string }[];
  /** The weakest first. */
  operators: { name: string; also?: string[]; summary: string }[];
  filterOperators: FilterOperator[];
}

/** An operator of the conditions of a filter. */
export interface FilterOperator {
  id: string;
  /** What both sides become; `exist` where they become nothing else. */
  group: string;
  words: string;
  /** It has no right side. */
  unary: boolean;
}

/** What is wrong with a template; places count in letters as this language does. */
export interface Mistake {
  message: string;
  start: number;
  end: number;
  /** What may stand between the two instead. */
  fix?: string;
}

export type Result = { value: unknown; kind: string } | { error: Mistake };

export interface Tryout {
  template: string;
  bundles: Record<string, unknown>;
  names?: Record<string, unknown>;
  zone?: string;
  kind?: string;
  isJson?: boolean;
}

/** The language does not change while the program runs. */
export const useLanguage = () => useQuery({ queryKey: ["mapping-language"], queryFn: () => json<Language>("GET", "/api/v1/functions"), staleTime: Infinity });

export const evaluate = (tryout: Tryout, signal: AbortSignal) => json<Result>("POST", "/api/v1/mapping/evaluate", tryout, signal);

/** Runs one module of the draft alone, with these bundles of modules before it. */
export const runModule = (flow: string, module: number, bundles: Record<string, unknown>) =>
  json<{ id: string }>("POST", `/api/v1/flows/${encodeURIComponent(flow)}/modules/${module}/run?of=draft`, { bundles });
