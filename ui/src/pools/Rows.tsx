import type { Column, Row } from "./api";
import { cellText, isNumber } from "./words";

/** The first rows of a table, with the type of each column under its name. */
export function Rows({ label, columns, rows }: { label: string; columns: Column[]; rows: Row[] }) {
  return (
    <div className="table-frame" tabIndex={0} role="region" aria-label={label}>
      <table className="list pools-rows">
        <thead>
          <tr>
            {columns.map(({ name, type }) => (
              <th key={name} className={isNumber(type) ? "amount" : undefined}>
                {name} <span className="pools-type">{type}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, place) => (
            <tr key={place}>
              {columns.map(({ name, type }) => (
                <td key={name} className={isNumber(type) ? "amount" : undefined}>
                  {row[name] === null || row[name] === undefined ? <span className="pools-null">empty</span> : cellText(row[name])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
