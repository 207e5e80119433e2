import { useEffect, useRef, useState } from "react";

import { readLogs, type LogPlace } from "./api";

const LOOK_AGAIN_MS = 1_000;

/** Returns what a task has printed, and keeps it current while it goes on. */
export function useLogs(id: string, goesOn: boolean): { text: string; error: Error | null } {
  const place = useRef<LogPlace>({ output: 0, errors: 0 });
  const [text, setText] = useState("");
  const [error, setError] = useState<Error | null>(null);

  useEffect(() => {
    if (id === "") return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const readOn = async () => {
      try {
        const piece = await readLogs(id, place.current);
        if (isOver) return;
        place.current = piece.next;
        setText((before) => before + piece.output + piece.errors);
        setError(null);
      } catch (problem) {
        if (!isOver) setError(problem as Error);
      }
      if (goesOn && !isOver) timer = setTimeout(() => void readOn(), LOOK_AGAIN_MS);
    };
    void readOn();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [id, goesOn]);

  return { text, error };
}
