/** No weights yet: the page says what works, fetches them before one's eyes, and then answers. */
import { addCard, answers, askFor, expect, limitAnswers, open, test, waitForEnd } from "./page";

test("weights are fetched from the page, and answers follow @missing", async ({ page, faults }) => {
  await limitAnswers(page, 8);
  await open(page);
  const banner = page.locator(".banner");
  await expect(banner).toContainText("还差一步：下载模型");
  await expect(banner).toContainText("识别文字和规则审核不需要模型");

  // What works meanwhile: pictures and words are taken and kept; only an answer is refused, and says why.
  await addCard(page);
  const pictures = page.getByRole("list", { name: "待发送的图片" }).getByRole("img", { name: "card.png" });
  await expect(pictures).toBeVisible();
  await askFor(page, "价格是多少？");
  await expect(page.getByRole("alert").filter({ hasText: "模型还没有就绪" })).toBeVisible();
  await expect(page.getByRole("textbox", { name: "问题" })).toHaveValue("价格是多少？");
  await expect(pictures).toBeVisible();
  await expect(page.locator(".history-row")).toHaveCount(0);
  // Chromium itself notes the refusal in the console.
  expect(faults.every((fault) => fault.includes("503"))).toBe(true);
  faults.length = 0;

  await banner.getByRole("button", { name: "下载模型" }).click();
  const progress = banner.getByRole("progressbar", { name: "正在下载模型" });
  const percent = async () => Number(await progress.getAttribute("aria-valuenow"));
  await expect.poll(percent).toBeGreaterThan(0);
  await expect(banner.locator(".pull-facts")).toContainText(/[\d.]+ [kKMG]?B \/ [\d.]+ MB/);
  const before = await percent();
  await expect.poll(percent).toBeGreaterThan(before);

  // A download is cancelled and goes on from where it was; a page that is loaded anew follows it.
  await banner.getByRole("button", { name: "取消下载" }).click();
  await expect(banner).toContainText("还差一步：下载模型");
  await banner.getByRole("button", { name: "下载模型" }).click();
  await expect.poll(percent).toBeGreaterThan(before);
  await page.reload();
  await expect.poll(percent).toBeGreaterThan(before);

  await expect(banner).toHaveCount(0, { timeout: 60_000 });
  await askFor(page, "价格是多少？");
  await waitForEnd(page);
  await expect(answers(page)).toHaveCount(1);
  await expect(page.locator(".message-pictures img")).toHaveCount(1);
  await page.goto("/#/system");
  await expect(page.getByRole("region", { name: "模型", exact: true })).toContainText("就绪");
  await expect(page.getByRole("region", { name: "可用的模型" })).toContainText("使用中");
});
