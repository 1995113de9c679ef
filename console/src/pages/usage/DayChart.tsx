import { useCallback, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { decimal, nanos, yuan } from "@/lib/money";
import { day, shortDay } from "@/lib/time";
import type { Chart } from "@/pages/usage/series";

interface DayChartProps {
  chart: Chart;
  names: readonly string[];
}

const HEIGHT = 260;
const STEPS = [1, 2, 3, 5, 7, 14, 30, 60, 90];
/** Of amounts in nano-yuan: no step is smaller than the smallest amount. */
const AMOUNT_STEPS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();
const CHARACTER_PIXELS = 7;

const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colour = (place: number, count: number): string => token(`--chart-${place === count - 1 && count > 5 ? 6 : place + 1}`);

/** Heights of stacked bars in nano-yuan: places on a screen, not amounts, so that they may be rounded. */
function heights(chart: Chart): number[][] {
  const below = chart.days.map(() => 0n);
  return chart.series.map((one) =>
    one.charges.map((charge, n) => {
      below[n] = (below[n] ?? 0n) + nanos(charge);
      return Number(below[n]);
    }),
  );
}

function optionsOf(chart: Chart, width: number, onHover: (place: number | null) => void): uPlot.Options {
  const count = chart.series.length;
  const bars = uPlot.paths.bars?.({ size: [0.7, 48], radius: 0.15 });
  const axis = { stroke: () => token("--muted"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
    hooks: { setCursor: [(plot) => onHover(plot.cursor.idx ?? null)] },
    scales: {
      x: { time: false, range: () => [-0.5, chart.days.length - 0.5] },
      y: { range: (_, __, most) => [0, Math.max(1, most * 1.08)] },
    },
    axes: [
      { ...axis, size: 32, incrs: STEPS, grid: { show: false }, values: (_, places) => places.map((place) => shortDay(chart.days[place] ?? "1970-01-01")) },
      {
        ...axis,
        incrs: AMOUNT_STEPS,
        size: (_, values) => 18 + CHARACTER_PIXELS * Math.max(5, ...(values ?? []).map((value) => value?.length ?? 0)),
        grid: { stroke: () => token("--line"), width: 1 },
        values: (_, values) => values.map((value) => yuan(decimal(BigInt(Math.round(value))))),
      },
    ],
    // The highest is drawn first, and each one over it leaves its own part to be seen.
    series: [
      {},
      ...chart.series
        .map((_, place) => ({
          fill: () => colour(place, count),
          stroke: () => colour(place, count),
          width: 0,
          points: { show: false },
          ...(bars && { paths: bars }),
        }))
        .toReversed(),
    ],
  };
}

/** The last day on which anything was used, which is told until another one is pointed at. */
function lastUsed(chart: Chart): number {
  return chart.sums.findLastIndex((sum) => nanos(sum) > 0n);
}

/** Bars of each day, one colour for each part. Who cannot see it has the table beside it. */
export function DayChart({ chart, names }: DayChartProps) {
  const [place, setPlace] = useState<number | null>(null);
  const latest = useRef(place);

  const draw = useCallback(
    (box: HTMLDivElement) => {
      const onHover = (next: number | null) => {
        if (next !== latest.current) setPlace((latest.current = next));
      };
      const data: uPlot.AlignedData = [chart.days.map((_, n) => n), ...heights(chart).toReversed()];
      const plot = new uPlot(optionsOf(chart, box.clientWidth, onHover), data, box);
      const sizes = new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: HEIGHT }));
      const themes = new MutationObserver(() => plot.redraw());
      sizes.observe(box);
      themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
      return () => {
        sizes.disconnect();
        themes.disconnect();
        plot.destroy();
      };
    },
    [chart],
  );

  const told = place ?? lastUsed(chart);
  const shown = chart.days[told];
  return (
    <div>
      <div ref={draw} className="w-full overflow-hidden" />
      <p className="mt-2 min-h-11 text-xs text-muted tabular-nums">
        {shown !== undefined && (
          <>
            <strong className="text-ink">
              {day(shown)} · {yuan(chart.sums[told] ?? "0")}
            </strong>
            {chart.series.map((one, n) =>
              nanos(one.charges[told] ?? "0") > 0n ? ` · ${names[n] ?? ""} ${yuan(one.charges[told] ?? "0")}` : "",
            )}
          </>
        )}
      </p>
    </div>
  );
}
