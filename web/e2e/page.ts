/**
 * What all tests of the real page share: a page whose every fault counts, and words for what people do with it.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import AxeBuilder from "@axe-core/playwright";
import { test as base, expect, type Locator, type Page } from "@playwright/test";

export const CARD = fileURLToPath(new URL("../../src/kandong/samples/card.png", import.meta.url));
export const cardBytes = () => readFileSync(CARD);

/** A page that fails its test on anything written to the console as an error, and on any request to another origin. */
export const test = base.extend<{ faults: string[] }>({
  faults: [
    async ({ page, baseURL }, use) => {
      const faults: string[] = [];
      const origin = new URL(baseURL ?? "").origin;
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning")
          faults.push(`console: ${message.text()}`);
      });
      page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
      page.on("dialog", (dialog) => {
        faults.push(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      page.on("request", (request) => {
        const url = new URL(request.url());
        const isOwn = url.origin === origin || url.protocol === "blob:" || url.protocol === "data:";
        if (!isOwn) faults.push(`request: ${request.url()}`);
      });
      await use(faults);
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

export async function open(page: Page): Promise<void> {
  await page.goto("/");
  await expect(page.getByRole("textbox", { name: "问题" })).toBeVisible();
}

/** Answers of random weights are long; tests say how long they may be. */
export async function limitAnswers(page: Page, maxTokens: number): Promise<void> {
  await page.addInitScript((tokens) => {
    const place = "kandong.preferences";
    const known = JSON.parse(localStorage.getItem(place) ?? "{}");
    localStorage.setItem(
      place,
      JSON.stringify({ newChat: { max_tokens: tokens, temperature: 1 }, ...known }),
    );
  }, maxTokens);
}

export async function addCard(page: Page): Promise<void> {
  await page.getByTestId("files").setInputFiles(CARD);
}

export async function askFor(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "问题" }).fill(text);
  await page.keyboard.press("Enter");
}

export function answers(page: Page): Locator {
  return page.locator("article.is-assistant");
}

/** Wait until nothing is being written any more. */
export async function waitForEnd(page: Page): Promise<void> {
  await expect(page.getByRole("log", { name: "对话内容" })).toHaveAttribute("aria-busy", "false", {
    timeout: 60_000,
  });
  await expect(page.locator(".message.is-pending")).toHaveCount(0);
}

export async function waitForWriting(page: Page): Promise<void> {
  await expect(page.locator(".stage-label", { hasText: "正在写" })).toBeVisible({ timeout: 60_000 });
}

/** Nothing that axe calls serious or critical; only some rules where they are named. */
export async function expectAccessible(page: Page, rules?: string[]): Promise<void> {
  // Things that are still appearing have half their contrast.
  await page.waitForTimeout(400);
  const axe = new AxeBuilder({ page });
  const { violations } = await (rules ? axe.withRules(rules) : axe).analyze();
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
}
