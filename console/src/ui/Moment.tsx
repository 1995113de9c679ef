import { exactMoment, moment } from "@/lib/time";

interface MomentProps {
  /** RFC 3339. */
  at: string;
  /** To the minute instead of the second. */
  isRough?: boolean;
}

/** A time; where it is too long for its place it breaks between the date and the clock, never within either. */
export function Moment({ at, isRough = false }: MomentProps) {
  const text = isRough ? moment(at) : exactMoment(at);
  const clock = text.search(/\d{1,2}:\d{2}/);
  return (
    <time dateTime={at}>
      <span className="whitespace-nowrap">{text.slice(0, clock).trimEnd()}</span>{" "}
      <span className="whitespace-nowrap">{text.slice(clock)}</span>
    </time>
  );
}
