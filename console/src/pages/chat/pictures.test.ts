import { expect, it } from "vitest";
import { pastedFiles, refusalOf } from "@/pages/chat/pictures";

const file = (name: string, type: string, size = 3): File => new File(["x".repeat(size)], name, { type });
const png = file("a.png", "image/png");

it("takes pictures up to their size and number, and names the one that is wrong", () => {
  expect(refusalOf([png, file("b.webp", "image/webp")], 2)).toBeNull();
  expect(refusalOf([png, png], 3)).toEqual({ kind: "count" });
  expect(refusalOf([png, file("b.tiff", "image/tiff")], 0)).toEqual({ kind: "type", name: "b.tiff" });
  expect(refusalOf([file("c.png", "image/png", 5_000_001)], 0)).toEqual({ kind: "size", name: "c.png" });
});

it("takes a pasted screenshot, but not the picture that comes with copied cells", () => {
  const carried = (text: string) => ({ types: [], files: [png], getData: () => text });
  expect(pastedFiles(carried(""))).toEqual([png]);
  expect(pastedFiles(carried("1\t2"))).toEqual([]);
  expect(pastedFiles(null)).toEqual([]);
});
