import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { TableFrame, type TableProps, TableRow } from "@/ui/TableParts";

const ROW_PIXELS = 45;

/** A table of which only the rows that can be seen are drawn. It is fetched when there is one. */
export function LongTable<Row>(props: TableProps<Row>) {
  const { columns, rows } = props;
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PIXELS,
    overscan: 12,
    useFlushSync: false,
  });
  const items = virtual.getVirtualItems();
  return (
    <TableFrame {...props} box={box} isLong>
      <Space height={items[0]?.start ?? 0} columns={columns.length} />
      {items.map(({ index }) => (
        <TableRow
          key={rows[index] === undefined ? index : props.rowKey(rows[index])}
          table={props}
          index={index}
          measure={virtual.measureElement}
        />
      ))}
      <Space height={virtual.getTotalSize() - (items.at(-1)?.end ?? 0)} columns={columns.length} />
    </TableFrame>
  );
}

/** The room of the rows that are not drawn. */
function Space({ height, columns }: { height: number; columns: number }) {
  if (height <= 0) return null;
  return (
    <tr aria-hidden className="card:block">
      <td colSpan={columns} style={{ height }} className="card:block" />
    </tr>
  );
}
