import { memo, type ReactNode, type Ref } from "react";

export interface Column<Row> {
  key: string;
  head: ReactNode;
  cell: (row: Row) => ReactNode;
  /** Figures stand at the end, one under the other. */
  isFigure?: boolean;
  /** The cell that names the row. */
  isName?: boolean;
}

export interface TableProps<Row> {
  /** What the table is, for who cannot see it. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  isMarked?: (row: Row) => boolean;
  /** Too broad for a tablet: there, too, its rows are cards. */
  isBroad?: boolean;
}

interface FrameProps<Row> extends Omit<TableProps<Row>, "rowKey" | "isMarked"> {
  /** The box that scrolls. */
  box?: Ref<HTMLDivElement>;
  /** It has a height of its own, in which it scrolls. */
  isLong?: boolean;
  children: ReactNode;
}

/** What is around rows. */
export function TableFrame<Row>({ label, columns, rows, box, isBroad = false, isLong = false, children }: FrameProps<Row>) {
  return (
    <div
      ref={box}
      role="region"
      aria-label={label}
      tabIndex={0}
      data-broad={isBroad || undefined}
      className={`overflow-auto rounded-card border border-line bg-surface ${isLong ? "max-h-[75dvh]" : ""}`}
    >
      <table className="w-full border-separate border-spacing-0 text-sm card:block" aria-rowcount={rows.length + 1}>
        <caption className="sr-only">{label}</caption>
        <thead className="card:sr-only">
          <tr aria-rowindex={1}>
            {columns.map((column) => (
              <th
                key={column.key}
                scope="col"
                className={`sticky top-0 z-10 border-b border-line bg-surface px-3 py-2.5 font-medium lg:px-4 whitespace-nowrap text-muted ${column.isFigure ? "text-right" : "text-left"}`}
              >
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="card:block">{children}</tbody>
      </table>
    </div>
  );
}

interface RowProps<Row> {
  table: TableProps<Row>;
  index: number;
  measure?: (element: HTMLTableRowElement | null) => void;
}

/** Drawn again when the table is, not when it is scrolled. */
export const TableRow = memo(DrawnRow) as typeof DrawnRow;

function DrawnRow<Row>({ table, index, measure }: RowProps<Row>) {
  const row = table.rows[index];
  if (row === undefined) return null;
  const isMarked = table.isMarked?.(row) ?? false;
  return (
    <tr
      ref={measure}
      data-index={index}
      aria-rowindex={index + 2}
      className={`card:flex card:flex-col card:gap-1.5 sm:card:grid sm:card:grid-cols-2 sm:card:gap-x-12 card:border-b card:border-line/70 card:px-4 card:py-3 ${isMarked ? "bg-accent-soft" : "hover:bg-sunken/60"}`}
    >
      {table.columns.map((column) => {
        const Cell = column.isName ? "th" : "td";
        return (
          <Cell
            key={column.key}
            scope={column.isName ? "row" : undefined}
            className={`border-b border-line/70 px-3 py-2.5 font-normal lg:px-4 card:flex card:min-w-0 card:justify-between card:gap-4 card:border-0 card:p-0 ${column.isFigure ? "text-right whitespace-nowrap tabular-nums" : "text-left"}`}
          >
            {!column.isName && (
              <span aria-hidden className="hidden shrink-0 text-muted card:inline">
                {column.head}
              </span>
            )}
            <div className="card:min-w-0">{column.cell(row)}</div>
          </Cell>
        );
      })}
    </tr>
  );
}
