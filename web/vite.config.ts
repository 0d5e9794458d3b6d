import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where the Python package serves the page from; the folder is ignored by git and carried by wheel and sdist. */
const OUTPUT = "../src/kandong/server/page";

export default defineConfig({
  // Relative addresses: the page also works below a path of its own behind a proxy.
  base: "./",
  plugins: [react()],
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    target: ["chrome111", "firefox114", "safari16.4"],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
  },
  server: {
    proxy: {
      "/api": process.env.KANDONG_SERVER ?? "http://127.0.0.1:8765",
      "/v1": process.env.KANDONG_SERVER ?? "http://127.0.0.1:8765",
    },
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
