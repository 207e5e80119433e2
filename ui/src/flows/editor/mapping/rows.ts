// The values that can be mapped, as a tree that is walked with arrow keys: which
// rows are to be seen, and what a key does at one of them.

import { itemsAt, itemsOfAll, type Item } from "./outputs";

/** In the place of a number: every item of a list at once. */
export const ALL = "all";

/** What of a tree is unfolded. */
export interface Folding {
  /** All of it, such as while somebody searches. */
  open: boolean;
  /** By the paths of the items. */
  unfolded: ReadonlySet<string>;
  /** Of lists, which place is looked at: a number from one, or `ALL`. */
  places: ReadonlyMap<string, string>;
}

export interface Row {
  path: string;
  /** Of the item that it is in; null at the top. */
  above: string | null;
  /** Null where nothing is inside. */
  unfolded: boolean | null;
}

export type Step = { to: string } | { fold: string } | { unfold: string };

/** What is seen below an item once it is unfolded. */
export function insideOf(item: Item, { places }: Folding): Item[] {
  const place = places.get(item.path) ?? "1";
  if (place === "1") return item.inside;
  return place === ALL ? itemsOfAll(item) : itemsAt(item, Number(place));
}

export const isUnfolded = (item: Item, { open, unfolded }: Folding) => open || unfolded.has(item.path);

/** The rows that are to be seen, from the top. */
export function rowsOf(items: readonly Item[], folding: Folding, above: string | null = null): Row[] {
  return items.flatMap((item) => {
    if (item.inside.length === 0) return [{ path: item.path, above, unfolded: null }];
    const unfolded = isUnfolded(item, folding);
    return [{ path: item.path, above, unfolded }, ...(unfolded ? rowsOf(insideOf(item, folding), folding, item.path) : [])];
  });
}

/** What a key does at a row; null where it does nothing. `open` trees cannot be folded. */
export function stepAt(rows: readonly Row[], path: string, key: string, open: boolean): Step | null {
  const at = rows.findIndex((row) => row.path === path);
  const row = rows[at];
  if (row === undefined) return null;
  const to = (other: Row | undefined) => (other === undefined || other === row ? null : { to: other.path });
  switch (key) {
    case "ArrowDown":
      return to(rows[at + 1]);
    case "ArrowUp":
      return to(rows[at - 1]);
    case "Home":
      return to(rows[0]);
    case "End":
      return to(rows.at(-1));
    case "ArrowRight":
      if (row.unfolded === false) return { unfold: path };
      return rows[at + 1]?.above === path ? to(rows[at + 1]) : null;
    case "ArrowLeft":
      if (row.unfolded === true && !open) return { fold: path };
      return row.above === null ? null : { to: row.above };
    default:
      return null;
  }
}
