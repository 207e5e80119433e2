// What a template comes to with the last values: asked of the server a moment
// after the last letter, and never twice for the same.

import { useEffect, useMemo, useState } from "react";
import { useQuery } from "@tanstack/react-query";

import { readJson, writeJson } from "../../../api/exact";
import type { Condition } from "../document";
import { evaluate, judge, type Judgement, type Mistake } from "./api";
import { needsOf } from "./needs";
import type { Source } from "./outputs";
import type { Scope } from "./scope";

const REST_MS = 350;

export type Outcome =
  /** Nothing is mapped, or the answer is not there yet. */
  | { is: "quiet" }
  | { is: "value"; value: unknown; kind: string }
  | { is: "mistake"; mistake: Mistake }
  /** These modules have no values yet. */
  | { is: "unseen"; sources: Source[] };

export interface Manner {
  /** The time zone of the flow. */
  zone?: string | undefined;
  /** The field holds JSON text. */
  isJson?: boolean;
}

export function useOutcome(template: string, scope: Scope, { zone, isJson = false }: Manner): Outcome {
  const rested = useRested(template);
  const needs = useMemo(() => needsOf(rested, scope), [rested, scope]);
  const bundles = needs?.bundles ?? {};
  const about = Object.entries(bundles).map(([id, bundle]) => `${id}:${numberOf(bundle)}`);
  const asked = useQuery({
    queryKey: ["mapping", rested, ...about, numberOf(scope.variables), zone ?? "", isJson],
    queryFn: ({ signal }) => evaluate({ template: rested, bundles, names: { var: { flow: scope.variables } }, isJson, ...(zone === undefined ? {} : { zone }) }, signal),
    enabled: needs !== null,
    staleTime: Infinity,
    gcTime: 60_000,
    retry: false,
    placeholderData: (before) => before,
  });
  return useMemo(() => {
    if (needs === null || template === "") return { is: "quiet" };
    const { data } = asked;
    const fresh = !asked.isPlaceholderData && rested === template;
    if (data !== undefined && "error" in data) {
      if (!fresh) return { is: "quiet" };
      if (needs.unseen.length === 0 || !needs.sound) return { is: "mistake", mistake: data.error };
    }
    if (needs.unseen.length > 0) return { is: "unseen", sources: needs.unseen };
    return data === undefined || "error" in data ? { is: "quiet" } : { is: "value", value: data.value, kind: data.kind };
  }, [needs, asked, rested, template]);
}

export type Verdict =
  | { is: "quiet" }
  | { is: "judged"; judgement: Judgement }
  | { is: "mistake"; message: string }
  | { is: "unseen"; sources: Source[] };

/** What conditions say with the last values. */
export function useVerdict(conditions: Condition[][] | undefined, scope: Scope, zone?: string): Verdict {
  const written = useMemo(() => writeJson(conditions ?? []), [conditions]);
  const rested = useRested(written);
  // All sides together take from all modules that one of them does.
  const needs = useMemo(() => needsOf(sidesOf(rested), scope), [rested, scope]);
  const bundles = needs?.bundles ?? {};
  const about = Object.entries(bundles).map(([id, bundle]) => `${id}:${numberOf(bundle)}`);
  const asked = useQuery({
    queryKey: ["mapping", "conditions", rested, ...about, numberOf(scope.variables), zone ?? ""],
    queryFn: ({ signal }) =>
      judge({ conditions: readJson(rested) as Condition[][], bundles, names: { var: { flow: scope.variables } }, ...(zone === undefined ? {} : { zone }) }, signal),
    enabled: needs !== null && needs.sound && needs.unseen.length === 0,
    staleTime: Infinity,
    gcTime: 60_000,
    retry: false,
  });
  return useMemo(() => {
    if (needs === null || rested !== written) return { is: "quiet" };
    if (needs.unseen.length > 0) return { is: "unseen", sources: needs.unseen };
    const { data } = asked;
    if (data === undefined) return { is: "quiet" };
    return "error" in data ? { is: "mistake", message: data.error } : { is: "judged", judgement: data };
  }, [needs, asked, rested, written]);
}

function sidesOf(written: string): string {
  const sides = (readJson(written) as Condition[][]).flat().flatMap(({ a, b }) => [a, b]);
  return sides.filter((side) => typeof side === "string").join("\n");
}

/** A text once nobody has changed it for a moment. */
function useRested(text: string): string {
  const [rested, setRested] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setRested(text), REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return rested;
}

const numbers = new WeakMap<object, number>();
let last = 0;

/** A number for a bundle, so that it need not be written out to be told from another. */
function numberOf(bundle: unknown): number {
  if (typeof bundle !== "object" || bundle === null) return 0;
  const known = numbers.get(bundle);
  if (known !== undefined) return known;
  last += 1;
  numbers.set(bundle, last);
  return last;
}
