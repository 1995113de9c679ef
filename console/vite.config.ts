import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { texts } from "./texts.mjs";

/** Built into the Python package, which serves it; names have a hash of their content, so that they are kept for ever. */
export default defineConfig({
  plugins: [react(), tailwindcss(), texts()],
  resolve: { alias: { "@": "/src" } },
  build: {
    outDir: "../src/yuanjing/edge/static",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0, // the policy of pages allows no data: but for pictures
    modulePreload: { polyfill: false },
    target: "es2023",
  },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
