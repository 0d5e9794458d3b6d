/** Settings, copying, templates, several pictures, and all that the system page tells. */
import { addCard, answers, askFor, CARD, expect, limitAnswers, open, test, waitForEnd } from "./page";

test("settings go with the question and stay with the chat", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "设置", exact: true }).click();
  const panel = page.getByRole("dialog", { name: "设置" });
  await panel.getByRole("spinbutton", { name: "回答长度" }).fill("17");
  await panel.getByRole("slider", { name: "随机性" }).focus();
  await page.keyboard.press("ArrowRight");
  await panel.getByRole("spinbutton", { name: "至少保留几轮" }).fill("5");
  await panel.getByRole("switch", { name: "核对数字" }).click();
  await panel.getByRole("textbox", { name: "系统提示" }).fill("请用要点回答。");
  await panel.getByRole("button", { name: "关闭设置" }).click();
  await addCard(page);
  await askFor(page, "价格是多少？");
  await waitForEnd(page);
  const id = new URL(page.url()).hash.replace("#/c/", "");
  const chat = await (await page.request.get(`/api/conversations/${id}`)).json();
  expect(chat.settings).toMatchObject({
    max_tokens: 17,
    temperature: 0.8,
    min_rounds: 5,
    assist: false,
    system: "请用要点回答。",
  });
  const answer = chat.messages[1];
  expect(answer.usage.completion_tokens).toBeLessThanOrEqual(17);
  await page.getByRole("button", { name: "设置", exact: true }).click();
  await expect(page.getByText("这些设置用于当前对话")).toBeVisible();
  const kept = async () =>
    (await (await page.request.get(`/api/conversations/${id}`)).json()).settings as Record<string, unknown>;
  await panel.getByText("精细", { exact: true }).click();
  await expect.poll(kept).toMatchObject({ max_image_tokens: 2048, max_tokens: 17 });
  await page.getByRole("button", { name: "恢复默认" }).click();
  await expect.poll(kept).toMatchObject({ max_image_tokens: null, max_tokens: null, system: null });
});

test("an answer is copied as it was written", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await limitAnswers(page, 16);
  await open(page);
  await askFor(page, "说一句话");
  await waitForEnd(page);
  await answers(page).last().getByRole("button", { name: "复制" }).click();
  await expect(answers(page).last().getByRole("button", { name: "已复制" })).toBeVisible();
  const id = new URL(page.url()).hash.replace("#/c/", "");
  const chat = await (await page.request.get(`/api/conversations/${id}`)).json();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(chat.messages[1].text);
});

test("the standard analysis is one click away, and the length of its answer is checked", async ({ page }) => {
  await limitAnswers(page, 24);
  await open(page);
  for (const name of ["描述画面", "提取文字", "价格与日期", "是否夸大宣传", "用户情绪"])
    await expect(page.getByRole("button", { name })).toBeVisible();
  await addCard(page);
  await page.getByRole("button", { name: "完整分析" }).click();
  await waitForEnd(page);
  await expect(page.locator("article.is-user")).toContainText("总共不超过200字");
  await expect(answers(page).last().locator(".length-mark")).toContainText("200");
});

test("several pictures are gone through in full", async ({ page }) => {
  await limitAnswers(page, 8);
  await open(page);
  await page.getByTestId("files").setInputFiles([CARD, CARD.replace("card.png", "poster.png")]);
  await expect(page.getByRole("list", { name: "待发送的图片" }).getByRole("img")).toHaveCount(2);
  await askFor(page, "两张图有什么不同？");
  await waitForEnd(page);
  await page.locator(".message-pictures button").first().click();
  const viewer = page.getByRole("dialog", { name: "图片" });
  await expect(viewer).toContainText("1 / 2");
  await page.keyboard.press("ArrowRight");
  await expect(viewer).toContainText("2 / 2");
  await expect(viewer).toContainText("poster.png");
  const picture = viewer.locator(".viewer-picture img");
  await expect
    .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth))
    .toBeGreaterThan(300);
});

test("the system page tells memory, queue and findings, and looks thoroughly when asked to", async ({
  page,
}) => {
  await page.goto("/#/system");
  await expect(page.getByRole("region", { name: "内存" })).toContainText(/模型占用.*[MG]B/);
  await expect(page.getByRole("region", { name: "队列" })).toContainText("排队");
  const doctor = page.getByRole("region", { name: "体检" });
  await expect(doctor.getByRole("listitem").filter({ hasText: "openvino" }).first()).toContainText("正常");
  await expect(doctor).toContainText("--verify reads a card");
  await doctor.getByRole("button", { name: "彻底检查" }).click();
  await expect(doctor).toContainText("39元");
});
