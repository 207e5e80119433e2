import { useEffect, useRef, useState } from "react";

const SECONDS = 60;

/** Returns how much a growing number grew, second by second, over the last
 *  minute, oldest first. */
export function useRecent(value: number): number[] {
  const latest = useRef(value);
  latest.current = value;
  const [growth, setGrowth] = useState<number[]>(() => Array<number>(SECONDS).fill(0));

  useEffect(() => {
    let before = latest.current;
    const timer = setInterval(() => {
      const grown = Math.max(0, latest.current - before);
      before = latest.current;
      setGrowth((all) => [...all.slice(1), grown]);
    }, 1000);
    return () => clearInterval(timer);
  }, []);

  return growth;
}
