// All operations of a run in their order, each with its place in time. Only
// the rows in sight are drawn, so ten thousand are no more work than twenty.

import { useEffect, useMemo, useRef } from "react";
import { useVirtualizer } from "@tanstack/react-virtual";

import { duration } from "../kit/When";
import type { Outline } from "./api";
import { extentOf, moved, spanOf, took } from "./totals";
import { operationWord } from "./words";

const ROW = 30;
const PAGE = 12;

interface Props {
  operations: readonly Outline[];
  position: number;
  nameOf: (module: number) => string;
  onMove: (position: number) => void;
}

export function Timeline({ operations, position, nameOf, onMove }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const [begin, end] = useMemo(() => extentOf(operations), [operations]);
  const rows = useVirtualizer({ count: operations.length, getScrollElement: () => frame.current, estimateSize: () => ROW, overscan: 8 });
  useEffect(() => {
    if (position > 0) rows.scrollToIndex(position - 1, { align: "auto" });
  }, [position, rows]);

  const keys: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -operations.length, End: operations.length };
  return (
    <div
      ref={frame}
      className="runs-timeline"
      role="listbox"
      tabIndex={0}
      aria-label="Operations in their order"
      aria-activedescendant={position > 0 ? `operation-${position}` : undefined}
      onKeyDown={(event) => {
        const by = keys[event.key];
        if (by === undefined) return;
        event.preventDefault();
        onMove(Math.max(1, moved(position, by, operations.length)));
      }}
    >
      <div role="presentation" style={{ height: rows.getTotalSize(), position: "relative" }}>
        {rows.getVirtualItems().map(({ index, start }) => {
          const operation = operations[index]!;
          const { from, width } = spanOf(operation, begin, end);
          const place = index + 1;
          return (
            <div
              key={place}
              id={`operation-${place}`}
              role="option"
              aria-selected={place === position}
              aria-posinset={place}
              aria-setsize={operations.length}
              className={`runs-row ${operation.status}${place > position ? " later" : ""}`}
              style={{ transform: `translateY(${start}px)` }}
              onClick={() => onMove(place)}
            >
              <span className="runs-row-number">{operation.number}</span>
              <span className={`runs-dot ${operation.status}`} aria-label={operationWord(operation.status)} role="img" />
              <span className="runs-row-name">{nameOf(operation.module)}</span>
              <span className="runs-row-code">{operation.statusCode ?? ""}</span>
              <span className="runs-row-took">{duration(took(operation))}</span>
              <span className="runs-row-time" aria-hidden="true">
                <span className={`runs-bar ${operation.status}`} style={{ left: `${from * 100}%`, width: `${width * 100}%` }} />
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
