/** Adds to each variant the share of cases that it and those before it cover together. */
export function withCoverage<Variant extends { share: number }>(variants: Variant[]): (Variant & { covered: number })[] {
  let covered = 0;
  return variants.map((variant) => {
    covered = Math.min(1, covered + variant.share);
    return { ...variant, covered };
  });
}
