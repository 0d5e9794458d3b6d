/** Takes the pictures of docs/images from a running server; `scripts/screenshots.py` starts one and calls this. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";

const [folder] = process.argv.slice(2);
const url = process.env.KANDONG_URL;
const WORDS = {
  zh: { locale: "zh-CN", log: "对话内容" },
  en: { locale: "en-US", log: "Conversation" },
};
const FURTHER = "那时间呢？";
const POST = "全网最低价！说好的赠品呢？\n原价399元，现价199元，买一送一";
const POSTER = fileURLToPath(new URL("../../src/kandong/samples/poster.png", import.meta.url));

const browser = await chromium.launch({
  executablePath: process.env.KANDONG_CHROMIUM,
  args: ["--no-sandbox"],
});

async function openPage(locale, width, height, colorScheme = "light") {
  const isPhone = width < 768;
  const context = await browser.newContext({
    locale,
    colorScheme,
    viewport: { width, height },
    isMobile: isPhone,
    hasTouch: isPhone,
    deviceScaleFactor: isPhone ? 2 : 1,
  });
  // The same answers every time.
  await context.addInitScript(() => {
    if (!localStorage.getItem("kandong.preferences"))
      localStorage.setItem("kandong.preferences", JSON.stringify({ newChat: { temperature: 0 } }));
  });
  const page = await context.newPage();
  await page.goto(url);
  await page.locator(".sample img").last().waitFor();
  await page.waitForTimeout(500);
  return page;
}

async function shoot(page, name) {
  await page.mouse.move(0, 0);
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

async function waitForEnd(page, log) {
  await page.locator(`[role=log][aria-label="${log}"][aria-busy=false]`).waitFor({ timeout: 60_000 });
  await page.locator(".markdown.x-markdown").last().waitFor();
}

async function shootReport(page, name) {
  await page.goto(`${url}/#/analyse`);
  await page.getByTestId("files").setInputFiles(POSTER);
  await page.locator("#post-text").fill(POST);
  await page.locator(".post-run button").click();
  await page.locator(".verdict").waitFor({ timeout: 120_000 });
  await shoot(page, name);
}

for (const [language, words] of Object.entries(WORDS))
  for (const [width, height] of [
    [1280, 800],
    [390, 844],
  ]) {
    const page = await openPage(words.locale, width, height);
    await shoot(page, `start-${language}-${width}`);
    await page.locator("button.sample").first().click();
    await page.locator("article.is-assistant").waitFor();
    await waitForEnd(page, words.log);
    await page.locator("#question").fill(FURTHER);
    await page.keyboard.press("Enter");
    await page.locator("article.is-assistant").nth(1).waitFor();
    await waitForEnd(page, words.log);
    await shoot(page, `chat-${language}-${width}`);
    await shootReport(page, `analyse-${language}-${width}`);
    await page.context().close();
  }

const page = await openPage("zh-CN", 1280, 800, "dark");
await page.goto(`${url}/#/system`);
await page.locator(".checks li").first().waitFor({ timeout: 120_000 });
await shoot(page, "system-zh-1280");
await shootReport(page, "analyse-dark-1280");
await browser.close();
