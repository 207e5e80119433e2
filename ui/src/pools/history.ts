// The statements that were executed in a pool, kept in this browser.

export interface Asked {
  text: string;
  at: string;
  rows: number;
  ms: number;
}

const KEPT = 50;

export function readHistory(pool: string): Asked[] {
  try {
    return JSON.parse(localStorage.getItem(`sql-history/${pool}`) ?? "[]") as Asked[];
  } catch {
    return [];
  }
}

/** Puts a statement in front; the same one is not kept twice. */
export function remember(pool: string, asked: Asked): Asked[] {
  const all = [asked, ...readHistory(pool).filter(({ text }) => text !== asked.text)].slice(0, KEPT);
  localStorage.setItem(`sql-history/${pool}`, JSON.stringify(all));
  return all;
}

export const readText = (pool: string) => localStorage.getItem(`sql-text/${pool}`);
export const keepText = (pool: string, text: string) => localStorage.setItem(`sql-text/${pool}`, text);
