import { useMemo, useRef } from "react";
import { useVirtualizer } from "@tanstack/react-virtual";

import type { Column, Row } from "./api";
import { cellText, isNumber } from "./words";

const ROW_PX = 30;
const LOOKED_AT = 100;

/** Rows of an answer; only those in sight are drawn. */
export function SqlResults({ columns, rows }: { columns: Column[]; rows: Row[] }) {
  const frame = useRef<HTMLDivElement>(null);
  const drawn = useVirtualizer({ count: rows.length, getScrollElement: () => frame.current, estimateSize: () => ROW_PX, overscan: 12 });
  const grid = useMemo(() => ({ gridTemplateColumns: widths(columns, rows) }), [columns, rows]);
  return (
    <div
      className="pools-results"
      ref={frame}
      role="table"
      aria-label="Rows of the answer"
      aria-rowcount={rows.length + 1}
      tabIndex={0}
    >
      <div role="rowgroup" className="pools-results-head">
        <div role="row" className="pools-results-row" style={grid}>
          {columns.map(({ name, type }) => (
            <div key={name} role="columnheader" className={isNumber(type) ? "amount" : undefined}>
              {name} <span className="pools-type">{type}</span>
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" className="pools-results-body" style={{ height: drawn.getTotalSize() }}>
        {drawn.getVirtualItems().map(({ index, start }) => (
          <div
            key={index}
            role="row"
            aria-rowindex={index + 2}
            className="pools-results-row"
            style={{ ...grid, position: "absolute", transform: `translateY(${start}px)`, height: ROW_PX }}
          >
            {columns.map(({ name, type }) => {
              const value = rows[index]![name];
              return (
                <div key={name} role="cell" className={isNumber(type) ? "amount" : undefined} title={cellText(value)}>
                  {value === null || value === undefined ? <span className="pools-null">empty</span> : cellText(value)}
                </div>
              );
            })}
          </div>
        ))}
      </div>
    </div>
  );
}

/** Gives each column the width of the longest of its first values, within reason. */
function widths(columns: Column[], rows: Row[]): string {
  const widest = columns.map(({ name, type }) => {
    const head = name.length + type.length + 3;
    const cells = rows.slice(0, LOOKED_AT).map((row) => cellText(row[name]).length);
    return Math.min(42, Math.max(9, head, ...cells));
  });
  return widest.map((letters) => `minmax(${letters * 0.56 + 1.6}rem, 1fr)`).join(" ");
}
