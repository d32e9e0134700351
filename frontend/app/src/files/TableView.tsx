/** Comma- or tab-separated values as a table. */
import { useMemo } from "react";
import { parseTable } from "./preview";

const MOST = 1000;

export function TableView({ text, separator }: { text: string; separator: string }) {
  const { rows, isCut } = useMemo(() => parseTable(text, separator, MOST + 1), [text, separator]);
  const [head, ...body] = rows;
  if (!head) return <p className="p-4 text-muted">The file is empty.</p>;
  return (
    <section tabIndex={0} aria-label="Table" className="max-h-[70dvh] overflow-auto">
      <table className="w-max min-w-full text-sm">
        <thead className="sticky top-0 bg-sunken text-left">
          <tr>
            {head.map((cell, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: columns have no identity but their place
              <th key={index} className="px-3 py-1.5 font-medium">
                {cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {body.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no identity but their place
            <tr key={index} className="border-t border-line">
              {row.map((cell, column) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: as above
                <td key={column} className="max-w-100 truncate px-3 py-1">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {isCut ? (
        <p className="px-3 py-2 text-sm text-muted">
          The first {MOST} rows. Download the file for all of them.
        </p>
      ) : null}
    </section>
  );
}
