import { lazy, Suspense } from "react";
import { loadPart } from "@/shell/loading";
import { TableFrame, type TableProps, TableRow } from "@/ui/TableParts";

export type { Column } from "@/ui/TableParts";

/** From here on only the rows that can be seen are drawn. */
const MANY = 100;

const LongTable = lazy(async () => ({ default: (await loadPart(() => import("@/ui/LongTable"))).LongTable })) as unknown as <Row>(
  props: TableProps<Row>,
) => React.ReactNode; // `lazy` forgets the type of the rows

/**
 * Rows under a head; scrolls by itself, so that the page never does sideways. In the order of the API, which does the
 * sorting. On a phone each row is a card, in which each value stands beside the head of its column.
 */
export function Table<Row>(props: TableProps<Row>) {
  if (props.rows.length <= MANY) return <ShortTable {...props} />;
  return (
    <Suspense fallback={<ShortTable {...props} rows={props.rows.slice(0, MANY)} />}>
      <LongTable {...props} />
    </Suspense>
  );
}

function ShortTable<Row>(props: TableProps<Row>) {
  return (
    <TableFrame {...props}>
      {props.rows.map((row, index) => (
        <TableRow key={props.rowKey(row)} table={props} index={index} />
      ))}
    </TableFrame>
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
