import { defineConfig } from "@playwright/test";

/** `tests/e2e` starts the real server and names it, and the browser, in the environment. */
const executablePath = process.env.KANDONG_CHROMIUM ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: "e2e",
  // One server, one engine: two at a time only make each other wait.
  workers: 1,
  retries: 0,
  forbidOnly: true,
  // Generous: the tests are about what happens, and other tests may have the machine.
  timeout: 150_000,
  expect: { timeout: 30_000 },
  reporter: [["list"]],
  outputDir: "test-results",
  use: {
    baseURL: process.env.KANDONG_URL ?? "http://127.0.0.1:8765",
    viewport: { width: 1280, height: 800 },
    locale: "zh-CN",
    acceptDownloads: true,
    launchOptions: { executablePath, args: ["--no-sandbox"] },
  },
});
