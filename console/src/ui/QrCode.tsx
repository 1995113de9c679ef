/** A QR code as the API draws it: an SVG element, shown as a picture, so that nothing in it can act. */
export function QrCode({ svg, alt }: { svg: string; alt: string }) {
  return (
    <img
      src={`data:image/svg+xml,${encodeURIComponent(svg)}`}
      alt={alt}
      className="size-56 max-w-full rounded-control border border-line bg-white p-1"
    />
  );
}
