import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useRef } from "react";

export interface Column<Row> {
  key: string;
  head: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Figures stand at the end, one under the other. */
  isFigure?: boolean;
  /** The cell that names the row. */
  isName?: boolean;
}

interface TableProps<Row> {
  /** What the table is, for who cannot see it. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  isMarked?: (row: Row) => boolean;
}

/** From here on only the rows that can be seen are drawn. */
const MANY = 100;
const ROW_PIXELS = 45;

/**
 * Rows under a head; scrolls by itself, so that the page never does sideways. In the order of the API, which does the
 * sorting. On a phone each row is a card, in which each value stands beside the head of its column.
 */
export function Table<Row>(props: TableProps<Row>) {
  const { label, columns, rows } = props;
  const box = useRef<HTMLDivElement>(null);
  const isLong = rows.length > MANY;
  const virtual = useVirtualizer({
    count: rows.length,
    enabled: isLong,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PIXELS,
    overscan: 12,
    useFlushSync: false,
  });
  const shown = isLong ? virtual.getVirtualItems().map((item) => item.index) : rows.map((_, index) => index);
  const above = isLong ? (virtual.getVirtualItems()[0]?.start ?? 0) : 0;
  const below = isLong ? virtual.getTotalSize() - (virtual.getVirtualItems().at(-1)?.end ?? 0) : 0;
  return (
    <div
      ref={box}
      role="region"
      aria-label={label}
      tabIndex={0}
      className={`overflow-auto rounded-card border border-line bg-surface ${isLong ? "max-h-[75dvh]" : ""}`}
    >
      <table className="w-full border-separate border-spacing-0 text-sm max-sm:block" aria-rowcount={rows.length + 1}>
        <caption className="sr-only">{label}</caption>
        <thead className="max-sm:sr-only">
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <th
                key={column.key}
                scope="col"
                className={`sticky top-0 z-10 border-b border-line bg-surface px-4 py-2.5 font-medium whitespace-nowrap text-muted ${column.isFigure ? "text-right" : "text-left"}`}
              >
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="max-sm:block">
          <Space height={above} columns={columns.length} />
          {shown.map((index) => (
            <TableRow
              key={rows[index] === undefined ? index : props.rowKey(rows[index])}
              table={props}
              index={index}
              measure={isLong ? virtual.measureElement : undefined}
            />
          ))}
          <Space height={below} columns={columns.length} />
        </tbody>
      </table>
    </div>
  );
}

interface RowProps<Row> {
  table: TableProps<Row>;
  index: number;
  measure: ((element: HTMLTableRowElement | null) => void) | undefined;
}

/** Drawn again when the table is, not when it is scrolled. */
const TableRow = memo(DrawnRow) as typeof DrawnRow;

function DrawnRow<Row>({ table, index, measure }: RowProps<Row>) {
  const row = table.rows[index];
  if (row === undefined) return null;
  const isMarked = table.isMarked?.(row) ?? false;
  return (
    <tr
      ref={measure}
      data-index={index}
      aria-rowindex={index + 2}
      className={`max-sm:flex max-sm:flex-col max-sm:gap-1.5 max-sm:border-b max-sm:border-line/70 max-sm:px-4 max-sm:py-3 ${isMarked ? "bg-accent-soft" : "hover:bg-sunken/60"}`}
    >
      {table.columns.map((column) => {
        const Cell = column.isName ? "th" : "td";
        return (
          <Cell
            key={column.key}
            scope={column.isName ? "row" : undefined}
            className={`border-b border-line/70 px-4 py-2.5 font-normal max-sm:flex max-sm:min-w-0 max-sm:justify-between max-sm:gap-4 max-sm:border-0 max-sm:p-0 ${column.isFigure ? "text-right whitespace-nowrap tabular-nums" : "text-left"}`}
          >
            {!column.isName && (
              <span aria-hidden className="shrink-0 text-muted sm:hidden">
                {column.head}
              </span>
            )}
            <div className="max-sm:min-w-0">{column.cell(row)}</div>
          </Cell>
        );
      })}
    </tr>
  );
}

/** The room of the rows that are not drawn. */
function Space({ height, columns }: { height: number; columns: number }) {
  if (height <= 0) return null;
  return (
    <tr aria-hidden className="max-sm:block">
      <td colSpan={columns} style={{ height }} className="max-sm:block" />
    </tr>
  );
}

/** What a table looks like before its rows are there. */
export function TableSkeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div aria-hidden className="flex flex-col gap-3 rounded-card border border-line bg-surface p-4">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} className="h-5 animate-pulse rounded-control bg-sunken" />
      ))}
    </div>
  );
}
