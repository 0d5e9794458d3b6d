/** Asking, following, stopping, going on: on the real server with random weights. */
import { readFileSync } from "node:fs";
import {
  addCard,
  answers,
  askFor,
  cardBytes,
  expect,
  limitAnswers,
  open,
  test,
  waitForEnd,
  waitForWriting,
} from "./page";

test("a sample is one click from its answer", async ({ page }) => {
  await limitAnswers(page, 24);
  await open(page);
  await page.getByRole("button", { name: "试试示例：商品卡片" }).click();
  await waitForEnd(page);
  await expect(answers(page)).toHaveCount(1);
  await expect(page.locator("article.is-user")).toContainText("价格是多少？");
  await expect(
    page.getByRole("navigation").getByRole("button", { name: "价格是多少？", exact: true }).first(),
  ).toBeVisible();
});

test("a picture is uploaded, asked about, and the second question finds it in the cache", async ({
  page,
}) => {
  await limitAnswers(page, 24);
  await open(page);
  await addCard(page);
  await expect(
    page.getByRole("list", { name: "待发送的图片" }).getByRole("img", { name: "card.png" }),
  ).toBeVisible();
  await askFor(page, "这张图里有什么？");
  await waitForEnd(page);
  await page.getByRole("button", { name: "提取文字" }).click();
  await waitForEnd(page);
  await expect(answers(page)).toHaveCount(2);
  await answers(page).last().getByRole("button", { name: "回答详情" }).click();
  const cached = page.locator(".facts > div", { hasText: "其中来自缓存" });
  await expect(cached).toContainText(/[1-9]\d* tokens/);
});

test("a running answer is stopped, and what was written stays", async ({ page }) => {
  await limitAnswers(page, 3000);
  await open(page);
  await addCard(page);
  await askFor(page, "写一篇很长的说明");
  await waitForWriting(page);
  await expect(page.locator(".stage-facts")).toContainText(/[1-9][\d.]* tokens\/秒/);
  await page.keyboard.press("Escape");
  await waitForEnd(page);
  await expect(answers(page).last()).toContainText("已停止");
});

test("the page is loaded again in the middle of an answer and goes on with it", async ({ page, context }) => {
  await limitAnswers(page, 3000);
  await open(page);
  await addCard(page);
  await askFor(page, "慢慢写");
  await waitForWriting(page);
  const begun = (await answers(page).last().locator(".ant-bubble").textContent()) ?? "";
  await page.reload();
  await waitForWriting(page);
  await expect(answers(page)).toHaveCount(1);
  const other = await context.newPage();
  await other.goto(page.url());
  await waitForWriting(other);
  await other.getByRole("button", { name: "停止" }).click();
  await waitForEnd(other);
  await waitForEnd(page);
  const written = (await answers(page).last().locator(".ant-bubble").textContent()) ?? "";
  expect(written.length).toBeGreaterThanOrEqual(begun.length);
  expect(await answers(other).last().locator(".ant-bubble").textContent()).toBe(written);
});

test("a question is edited, answered anew, and both come back by undo", async ({ page }) => {
  await limitAnswers(page, 16);
  await open(page);
  await askFor(page, "第一个问题");
  await waitForEnd(page);
  await page.locator("article.is-user").hover();
  await page.getByRole("button", { name: "编辑并重新发送" }).click();
  await page.getByRole("textbox", { name: "修改问题" }).fill("第二个问题");
  await page.keyboard.press("Enter");
  await waitForEnd(page);
  await expect(page.locator("article.is-user")).toContainText("第二个问题");
  await page.locator(".notice").getByRole("button", { name: "撤销" }).click();
  await expect(page.locator("article.is-user")).toContainText("第一个问题");
  await page.getByRole("button", { name: "重新回答" }).click();
  await waitForEnd(page);
  await expect(answers(page)).toHaveCount(1);
});

test("pictures are dropped anywhere and pasted, and others than pictures are refused by name", async ({
  page,
}) => {
  await open(page);
  const data = cardBytes().toString("base64");
  const give = (type: "drop" | "paste", name: string, mime: string) =>
    page.evaluate(
      ({ type, name, mime, data }) => {
        const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], name, { type: mime }));
        const event =
          type === "drop"
            ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
      },
      { type, name, mime, data },
    );
  await give("drop", "拖.png", "image/png");
  await give("paste", "贴.png", "image/png");
  await give("drop", "账本.xlsx", "application/vnd.ms-excel");
  const list = page.getByRole("list", { name: "待发送的图片" });
  await expect(list.getByRole("img")).toHaveCount(2);
  await expect(page.getByRole("alert").filter({ hasText: "账本.xlsx 不是图片" })).toBeVisible();
  await expect(list.getByRole("progressbar")).toHaveCount(0);
  await page.reload();
  await expect(list.getByRole("img")).toHaveCount(2);
  await list.getByRole("button", { name: "移除 拖.png" }).click();
  await expect(list.getByRole("img")).toHaveCount(1);
  await list.getByRole("button", { name: "查看 贴.png" }).click();
  await expect(page.getByRole("dialog", { name: "图片" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog", { name: "图片" })).toHaveCount(0);
});

test("chats are found, renamed, deleted, restored, exported and imported", async ({ page }) => {
  await limitAnswers(page, 8);
  await open(page);
  await askFor(page, "榴莲多少钱一斤");
  await waitForEnd(page);
  await page.keyboard.press("Control+k");
  await expect(page.getByRole("searchbox", { name: "搜索对话" })).toBeFocused();
  await page.keyboard.type("榴莲");
  const rows = page.locator(".history-row");
  await expect(rows).toHaveCount(1);
  await rows.first().hover();
  await rows
    .first()
    .getByRole("button", { name: /的操作/ })
    .click();
  await page.getByRole("menuitem", { name: "重命名" }).click();
  await page.getByRole("textbox", { name: "对话名称" }).fill("榴莲价格");
  await page.keyboard.press("Enter");
  await expect(rows.first()).toContainText("榴莲价格");
  await rows.first().hover();
  await rows
    .first()
    .getByRole("button", { name: /的操作/ })
    .click();
  const downloading = page.waitForEvent("download");
  await page.getByRole("menuitem", { name: "导出" }).click();
  const file = await (await downloading).path();
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ kandong_export: 1 });
  await rows.first().hover();
  await rows
    .first()
    .getByRole("button", { name: /的操作/ })
    .click();
  await page.getByRole("menuitem", { name: "删除" }).click();
  await expect(rows).toHaveCount(0);
  await page.locator(".notice").getByRole("button", { name: "撤销" }).click();
  await expect(rows).toHaveCount(1);
  await page.getByTestId("import").setInputFiles(file);
  await expect(page.locator(".notice", { hasText: "已导入" })).toBeVisible();
});
