// What the mapping language offers, and what a template comes to.

import { useQuery } from "@tanstack/react-query";

import { json, type Of } from "../../../api/client";
import type { Condition } from "../document";

export type MappingFunction = Of<"MappingFunction">;
export type Language = Of<"MappingLanguage">;
/** An operator of the conditions of a filter. */
export type FilterOperator = Of<"FilterOperator">;
export type Mistake = Of<"MappingMistake">;
export type Result = Of<"MappingResult">;
export type Judgement = Of<"Judgement">;
type Judged = Judgement | Of<"MappingMisjudged">;
export type Trial = Omit<Of<"MappingTrial">, "conditions" | "bundles" | "names"> & { conditions: Condition[][]; bundles: Record<string, unknown>; names: Record<string, unknown> };
export type Tryout = Omit<Of<"MappingTryout">, "bundles" | "names"> & { bundles: Record<string, unknown>; names: Record<string, unknown> };

/** The language does not change while the program runs. */
export const useLanguage = () => useQuery({ queryKey: ["mapping-language"], queryFn: () => json<Language>("GET", "/api/v1/functions"), staleTime: Infinity });

export const evaluate = (tryout: Tryout, signal: AbortSignal) => json<Result>("POST", "/api/v1/mapping/evaluate", tryout, signal);

export const judge = (trial: Trial, signal: AbortSignal) => json<Judged>("POST", "/api/v1/mapping/judge", trial, signal);

/** Runs one module of the draft alone, with these bundles of modules before it. */
export const runModule = (flow: string, module: number, bundles: Record<string, unknown>) =>
  json<{ id: string }>("POST", `/api/v1/flows/${encodeURIComponent(flow)}/modules/${module}/run?of=draft`, { bundles });
