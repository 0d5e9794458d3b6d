/** A server that wants a key: asked for once, kept in memory alone, and carried by everything, pictures too. */
import { addCard, askFor, expect, limitAnswers, test, waitForEnd } from "./page";

const KEY = process.env.KANDONG_TEST_KEY ?? "";

test("the page asks for the key, and forgets it when it is loaded again @key", async ({ page, faults }) => {
  await limitAnswers(page, 8);
  await page.goto("/");
  const dialog = page.getByRole("dialog", { name: "请输入 API 密钥" });
  await dialog.getByLabel("API 密钥").fill("kd-wrong");
  await dialog.getByRole("button", { name: "进入" }).click();
  await expect(dialog.getByRole("alert")).toBeVisible();
  // Chromium itself notes each answer of 401 in the console.
  faults.length = 0;
  await dialog.getByLabel("API 密钥").fill(KEY);
  await page.keyboard.press("Enter");
  await expect(dialog).toHaveCount(0);
  await expect(page.locator(".sample img").first()).toBeVisible();
  await addCard(page);
  await askFor(page, "价格是多少？");
  await waitForEnd(page);
  const picture = page.locator(".message-pictures img");
  await expect(picture).toHaveAttribute("src", /^blob:/);
  expect(await picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  await page.getByRole("button", { name: "分析", exact: true }).click();
  await page.getByRole("checkbox", { name: "描述画面" }).uncheck();
  await page.getByRole("button", { name: "试试示例：违规海报" }).click();
  await expect(page.locator(".verdict")).toBeVisible({ timeout: 60_000 });
  await expect(page.locator(".board-picture img")).toHaveAttribute("src", /^blob:/);
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "导出 Excel" }).click();
  expect((await downloading).suggestedFilename()).toMatch(/\.xlsx$/);
  expect(
    await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])),
  ).not.toContain(KEY);
  await page.reload();
  await dialog.getByLabel("API 密钥").fill(KEY);
  await page.keyboard.press("Enter");
  await page.locator(".history-open").first().click();
  await expect(page.locator("article.is-user")).toContainText("价格是多少？");
  faults.length = 0;
});
