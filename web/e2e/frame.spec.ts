/** Languages, sizes, keys, the system page, and what assistive technology is told. */
import type { Page } from "@playwright/test";
import {
  addCard,
  answers,
  askFor,
  expect,
  expectAccessible,
  limitAnswers,
  open,
  test,
  waitForEnd,
} from "./page";

// In the dark only colours differ.
for (const [colorScheme, rules] of [
  ["light", undefined],
  ["dark", ["color-contrast"]],
] as const)
  test(`nothing serious stands between the page and a screen reader: ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const check = (shown: Page) => expectAccessible(shown, rules ? [...rules] : undefined);
    await limitAnswers(page, 16);
    await open(page);
    await check(page);
    await addCard(page);
    await askFor(page, "价格是多少？");
    await waitForEnd(page);
    await check(page);
    await answers(page).last().getByRole("button", { name: "回答详情" }).click();
    await check(page);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "设置", exact: true }).click();
    await expect(page.getByText("回答长度")).toBeVisible();
    await check(page);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "系统", exact: true }).click();
    await expect(page.getByRole("heading", { name: "系统" })).toBeVisible();
    await check(page);
  });

test("an answer is announced once, when it is finished", async ({ page }) => {
  await limitAnswers(page, 12);
  await open(page);
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    new MutationObserver(() => {
      const text = document.querySelector(".thread-frame > [role=status]")?.textContent ?? "";
      if (text && said.at(-1) !== text) said.push(text);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await askFor(page, "说一句话");
  await waitForEnd(page);
  await expect.poll(() => page.evaluate(() => (window as unknown as { said: string[] }).said.length)).toBe(1);
  expect(await page.evaluate(() => (window as unknown as { said: string[] }).said[0])).toMatch(/^回答完成/);
});

test("language and appearance are switched and remembered", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "更多" }).click();
  await page.getByRole("menuitem", { name: "English" }).click();
  await expect(page.getByRole("heading", { name: "Which picture shall we look at?" })).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await page.getByRole("button", { name: "Settings", exact: true }).click();
  await page.getByText("Dark", { exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.getByRole("heading", { name: "Which picture shall we look at?" })).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test.describe("in an English browser", () => {
  test.use({ locale: "en-US" });
  test("the page speaks English", async ({ page }) => {
    await page.goto("/");
    await expect(page.getByRole("button", { name: "Try the example: Product card" })).toBeVisible();
  });
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  test("everything is within reach and nothing is cut off", async ({ page }) => {
    await limitAnswers(page, 16);
    await open(page);
    await expect(page.getByRole("button", { name: "拍照" })).toBeVisible();
    await page.getByRole("button", { name: "试试示例：商品卡片" }).click();
    await waitForEnd(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await expectAccessible(page);
    await page.getByRole("button", { name: "打开侧栏" }).click();
    await expect(page.getByRole("searchbox", { name: "搜索对话" })).toBeVisible();
    await expectAccessible(page);
    await page.getByRole("navigation").getByRole("button", { name: "系统" }).click();
    await expect(page.getByRole("heading", { name: "系统" })).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });
});

test("the keyboard leads everywhere", async ({ page }) => {
  await open(page);
  await expect(page.getByRole("textbox", { name: "问题" })).toBeFocused();
  await page.keyboard.press("Control+b");
  await expect(page.getByRole("button", { name: "打开侧栏" })).toBeVisible();
  await page.keyboard.press("Control+k");
  await expect(page.getByRole("searchbox", { name: "搜索对话" })).toBeFocused();
  await page.goto("/#/system");
  await page.getByRole("heading", { name: "系统" }).click();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "快捷键" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog", { name: "快捷键" })).toHaveCount(0);
  await page.keyboard.press("Control+Shift+o");
  await expect(page.getByRole("heading", { name: "想看懂哪张图？" })).toBeVisible();
});

test("the system page says what runs and how it is", async ({ page }) => {
  await page.goto("/#/system");
  await expect(page.getByRole("region", { name: "模型", exact: true })).toContainText("就绪");
  await expect(page.getByRole("region", { name: "缓存" })).toContainText("命中率");
  await expect(page.getByRole("region", { name: "版本" })).toContainText("openvino");
  await expect(page.getByRole("region", { name: "可用的模型" })).toContainText("Qwen3-VL-2B-Instruct");
});
