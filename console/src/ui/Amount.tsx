/** An amount as text of `lib/money`; where it is too long for its place it breaks before its fraction, never within. */
export function Amount({ children: text }: { children: string }) {
  const point = text.lastIndexOf(".");
  if (point < 0) return <span className="whitespace-nowrap">{text}</span>;
  return (
    <>
      <span className="whitespace-nowrap">{text.slice(0, point)}</span>
      <wbr />
      <span className="whitespace-nowrap">{text.slice(point)}</span>
    </>
  );
}
