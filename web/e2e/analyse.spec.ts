/** 分析 on the real server: a post is put in, its findings and boxes answer each other, and it leads on. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Locator, Page } from "@playwright/test";
import { answers, askFor, CARD, expect, expectAccessible, limitAnswers, test, waitForEnd } from "./page";

const POSTER = fileURLToPath(new URL("../../src/kandong/samples/poster.png", import.meta.url));
const TEXT = "全网最低价😡\n原价199元，现价89元，买一送一";

/** Open the page with some tasks chosen: fewer are done sooner. */
async function openAnalyse(page: Page, ...tasks: string[]): Promise<void> {
  await page.addInitScript((chosen) => {
    const place = "kandong.preferences";
    const known = JSON.parse(localStorage.getItem(place) ?? "{}");
    localStorage.setItem(
      place,
      JSON.stringify({ newChat: { max_tokens: 12, temperature: 1 }, tasks: chosen, ...known }),
    );
  }, tasks);
  await page.goto("/#/analyse");
  await expect(page.getByRole("textbox", { name: "帖子文字" })).toBeVisible();
}

async function drop(page: Page, path: string, name: string): Promise<void> {
  const data = readFileSync(path).toString("base64");
  await page.evaluate(
    ({ name, data }) => {
      const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type: "image/png" }));
      document.body.dispatchEvent(
        new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }),
      );
    },
    { name, data },
  );
}

async function waitForReport(page: Page): Promise<void> {
  await expect(page.locator(".verdict")).toBeVisible({ timeout: 90_000 });
  await expect(page.locator(".run")).toHaveCount(0, { timeout: 90_000 });
}

/** Put the poster and some words in, and wait for the report. */
async function check(page: Page, text = TEXT): Promise<void> {
  await drop(page, POSTER, "海报.png");
  await expect(page.getByRole("list", { name: "帖子的图片" }).getByRole("img")).toHaveCount(1);
  const field = page.getByRole("textbox", { name: "帖子文字" });
  await field.fill(text);
  await field.press("Control+Enter");
  await waitForReport(page);
}

/** The finding that quotes these very words. */
function finding(page: Page, quote: string): Locator {
  const words = page.locator("q").getByText(quote, { exact: true });
  return page.locator("li[data-finding]", { has: words }).first();
}

async function boxOf(page: Page, words: string): Promise<Locator> {
  const id = await finding(page, words).getAttribute("data-finding");
  return page.locator(`.overlay [data-box~="${id}"]`);
}

for (const [name, use] of [
  ["at 1280 px", { viewport: { width: 1280, height: 800 } }],
  ["at 390 px", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }],
] as const)
  test.describe(name, () => {
    test.use(use);

    test("findings and boxes answer each other, by pointer and by keyboard", async ({ page }) => {
      await openAnalyse(page, "moderate");
      await check(page);
      await expect(page.getByRole("heading", { name: /不要这样发布/ })).toBeVisible();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
        use.viewport.width,
      );
      const box = await boxOf(page, "国家级");
      const own = finding(page, "国家级");
      await own.hover();
      await expect(box).toHaveClass(/is-lit/);
      await expect(page.locator(".spot")).toBeInViewport();
      await expectWhereItStands(page);
      await page.getByRole("heading", { name: /不要这样发布/ }).hover();
      await expect(box).not.toHaveClass(/is-lit/);
      await box.hover();
      await expect(own).toHaveClass(/is-lit/);
      await expect(own).toBeInViewport();
      await box.click();
      await expect(own).toHaveAttribute("aria-current", "true");
      await page.keyboard.press("Escape");
      await expect(page.locator("[aria-current=true]")).toHaveCount(0);

      await page.keyboard.press("j");
      const first = page.locator("[data-finding]").first();
      await first.focus();
      await page.keyboard.press("j");
      await expect(page.locator("[data-finding]").nth(1)).toBeFocused();
      await page.keyboard.press("ArrowUp");
      await expect(first).toBeFocused();
      await page.keyboard.press("Enter");
      await expect(first).toHaveAttribute("aria-current", "true");
      await page.keyboard.press("Escape");
      await box.focus();
      await expect(own).toHaveClass(/is-lit/);
      await page.keyboard.press("Enter");
      await expect(own).toHaveAttribute("aria-current", "true");
      await page.keyboard.press("ArrowDown");
      await expect(page.locator(".looking [data-box]:focus")).toHaveCount(1);
      await expect(box).not.toBeFocused();
      await page.keyboard.press("Escape");

      const mark = page.locator(".text-mark", { hasText: "全网最低" });
      await mark.hover();
      await expect(finding(page, "全网最低")).toHaveClass(/is-lit/);
    });

    test("a long picture behind another comes into view with what is found at its end", async ({ page }) => {
      await openAnalyse(page, "moderate");
      await drop(page, POSTER, "海报.png");
      await page.evaluate(() => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 600, height: 3600 });
        const pen = canvas.getContext("2d");
        if (!pen) return;
        pen.fillStyle = "#fff";
        pen.fillRect(0, 0, 600, 3600);
        pen.fillStyle = "#111";
        pen.font = "44px sans-serif";
        pen.fillText("今天天气很好", 60, 120);
        pen.fillText("全球顶级品质", 60, 3480);
        return new Promise<void>((resolve) =>
          canvas.toBlob((blob) => {
            const transfer = new DataTransfer();
            if (blob) transfer.items.add(new File([blob], "长图.png", { type: "image/png" }));
            document.body.dispatchEvent(
              new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }),
            );
            resolve();
          }),
        );
      });
      await expect(page.getByRole("list", { name: "帖子的图片" }).getByRole("img")).toHaveCount(2);
      await page.getByRole("button", { name: "开始检查" }).click();
      await waitForReport(page);
      const thumbs = page.getByRole("list", { name: "帖子的图片" }).getByRole("button");
      await expect(thumbs.first()).toHaveAttribute("aria-pressed", "true");
      await finding(page, "顶级").hover();
      await expect(thumbs.nth(1)).toHaveAttribute("aria-pressed", "true");
      await expect(page.locator(".spot")).toBeInViewport();
      await finding(page, "国家级").hover();
      await expect(thumbs.first()).toHaveAttribute("aria-pressed", "true");
      await expect(page.locator(".spot")).toBeInViewport();
    });

    test("a rewording is copied, and checking again tells what changed", async ({ page, context }) => {
      await context.grantPermissions(["clipboard-read", "clipboard-write"]);
      await openAnalyse(page, "moderate");
      await check(page);
      const own = finding(page, "全网最低");
      await own.getByRole("button", { name: "复制改法" }).click();
      const copied = await page.evaluate(() => navigator.clipboard.readText());
      expect(copied).toContain("删去绝对化用语");
      await expect(own).toContainText(copied);

      await page.getByRole("button", { name: "修改帖子" }).click();
      await page.getByRole("textbox", { name: "帖子文字" }).fill("原价199元，现价89元");
      await expect(page.getByText("帖子改过了")).toBeVisible();
      await page.locator(".stale").getByRole("button", { name: "重新检查" }).click();
      await expect(page.getByRole("region", { name: "和上次比" })).toContainText("不再有：「全网最低」");
      await expect(page.getByText("帖子改过了")).toHaveCount(0);
      await expect(finding(page, "全网最低")).toHaveCount(0);
    });

    test("nothing serious stands between a report and a screen reader", async ({ page }) => {
      await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
      await openAnalyse(page, "moderate", "extract", "sentiment", "ask", "read");
      await expectAccessible(page);
      await page.locator(".more summary").click();
      await expectAccessible(page);
      await check(page);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        // In the dark only colours differ.
        const rules = colorScheme === "dark" ? ["color-contrast"] : undefined;
        await expectAccessible(page, rules);
        await finding(page, "国家级").click();
        await expectAccessible(page, rules);
        await page.keyboard.press("Escape");
        await page.getByRole("button", { name: "修改帖子" }).click();
        await expectAccessible(page, rules);
        await page.getByRole("button", { name: "图文", exact: true }).click();
      }
    });
  });

/** The lit box lies over the picture where its coordinates say, whatever the scale. */
async function expectWhereItStands(page: Page): Promise<void> {
  const found = await page.evaluate(() => {
    const picture = document.querySelector(".board-picture img") as HTMLImageElement;
    const spot = document.querySelector(".spot") as SVGRectElement;
    const [shown, box] = [picture.getBoundingClientRect(), spot.getBoundingClientRect()];
    const scale = shown.width / picture.naturalWidth;
    return {
      scale,
      seen: [(box.left - shown.left) / scale, (box.top - shown.top) / scale],
      said: [spot.x.baseVal.value, spot.y.baseVal.value],
    };
  });
  expect(found.scale).toBeLessThan(1);
  // The line around it is a few pixels of the screen.
  for (const axis of [0, 1])
    expect(Math.abs((found.seen[axis] ?? 0) - (found.said[axis] ?? 0))).toBeLessThan(4 / found.scale);
  // 国家级 stands at the left of the poster's second line.
  expect(found.said[0]).toBeGreaterThan(30);
  expect(found.said[0]).toBeLessThan(110);
  expect(found.said[1]).toBeGreaterThan(140);
  expect(found.said[1]).toBeLessThan(190);
}

test("a report is saved as JSON and as Excel, as the service gave it", async ({ page }) => {
  await openAnalyse(page, "moderate", "extract");
  await check(page, "=1+1 全网最低价");
  const saved = async (name: string) => {
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name }).click();
    const download = await downloading;
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };
  const json = await saved("导出 JSON");
  expect(json.name).toMatch(/^kandong-report-[\d-]+-\w+\.json$/);
  const set = JSON.parse(json.bytes.toString("utf8"));
  expect(set.object).toBe("kandong.reports");
  expect(Object.keys(set.reports)).toEqual(["moderate", "extract"]);
  expect(set.reports.moderate.result.suggestion).toBe("block");
  const excel = await saved("导出 Excel");
  expect(excel.name).toMatch(/\.xlsx$/);
  expect(excel.bytes.subarray(0, 2).toString()).toBe("PK");
});

test("asking about a post takes its pictures and words along, and finds them looked at", async ({ page }) => {
  await openAnalyse(page, "describe");
  await drop(page, CARD, "card.png");
  await page.getByRole("textbox", { name: "帖子文字" }).fill("说好的赠品呢");
  await page.getByRole("button", { name: "开始检查" }).click();
  await waitForReport(page);
  await page.getByRole("button", { name: "接着问这个帖子" }).click();
  await expect(page.getByRole("list", { name: "待发送的图片" }).getByRole("img")).toHaveCount(1);
  await expect(page.locator(".about-post")).toContainText("说好的赠品呢");
  await askFor(page, "这是什么？");
  await waitForEnd(page);
  await expect(page.locator(".thread .about-post")).toContainText("说好的赠品呢");
  await answers(page).last().getByRole("button", { name: "回答详情" }).click();
  await expect(page.getByText("看过的图，无需再看")).toBeVisible();
  await page.getByRole("button", { name: "分析", exact: true }).click();
  await expect(page.locator(".verdict")).toBeVisible();
  await expect(page.locator(".board-picture img")).toBeVisible();
});

test("nothing is lost by leaving, coming back, or loading again", async ({ page }) => {
  await openAnalyse(page, "moderate", "describe");
  await drop(page, POSTER, "海报.png");
  await page.getByRole("textbox", { name: "帖子文字" }).fill(TEXT);
  await page.getByText("评论、平台、商品资料").click();
  await page.getByLabel("现价（元）").fill("八十");
  await expect(page.getByRole("button", { name: "开始检查" })).toBeDisabled();
  await page.getByLabel("现价（元）").fill("99");
  await page.getByRole("button", { name: "开始检查" }).click();
  await page.getByRole("button", { name: "系统", exact: true }).click();
  await expect(page.getByRole("heading", { name: "系统" })).toBeVisible();
  await page.getByRole("button", { name: "分析", exact: true }).click();
  await waitForReport(page);
  await expect(page.locator("li[data-finding]", { hasText: "价格与商品资料不符" }).first()).toBeVisible();
  await page.reload();
  await expect(page.locator(".verdict")).toBeVisible();
  await expect(page.locator(".board-picture img")).toBeVisible();
  await page.getByRole("button", { name: "修改帖子" }).click();
  await expect(page.getByRole("textbox", { name: "帖子文字" })).toHaveValue(TEXT);
  await expect(page.getByText("已填 1 项")).toBeVisible();
  await page.getByRole("button", { name: "换一个帖子" }).click();
  await expect(page.getByRole("textbox", { name: "帖子文字" })).toHaveValue("");
  await expect(page.getByRole("list", { name: "帖子的图片" })).toHaveCount(0);
});

test("a sample is one click from its report, which is announced once", async ({ page }) => {
  await openAnalyse(page, "moderate", "read");
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    new MutationObserver(() => {
      const text = document.querySelector("#analysis-said")?.textContent ?? "";
      if (text && said.at(-1) !== text) said.push(text);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await page.getByRole("button", { name: "试试示例：违规海报" }).click();
  await waitForReport(page);
  await expect.poll(() => page.evaluate(() => (window as unknown as { said: string[] }).said.length)).toBe(1);
  expect(await page.evaluate(() => (window as unknown as { said: string[] }).said[0])).toMatch(
    /^检查完成。结论：不要这样发布。\d+ 条发现/,
  );
  await expect(page.locator("#part-read")).toContainText("国家级品质值得信赖");
  await page.getByRole("checkbox", { name: "文字" }).check();
  await expect(page.locator(".overlay [aria-label*='L2']")).toHaveCount(1);
});

test("a run is stopped, and one that fails says why and is tried again", async ({ page, faults }) => {
  await openAnalyse(page, "moderate", "describe");
  await page.getByRole("textbox", { name: "帖子文字" }).fill(TEXT);
  let numCalls = 0;
  await page.route("**/v1/reports", async (route) => {
    numCalls += 1;
    if (numCalls === 1) return;
    if (numCalls === 2)
      return route.fulfill({
        status: 200,
        contentType: "text/event-stream",
        body: 'event: failed\ndata: {"error": {"message": "x", "code": "out_of_memory", "retryable": true}}\n\n',
      });
    return route.continue();
  });
  await page.getByRole("button", { name: "开始检查" }).click();
  await page.getByRole("button", { name: "停止" }).click();
  await expect(page.getByRole("button", { name: "开始检查" })).toBeEnabled();
  await page.getByRole("button", { name: "开始检查" }).click();
  await expect(page.locator(".run-failed")).toContainText("内存不够");
  await page.getByRole("button", { name: "重试" }).click();
  await waitForReport(page);
  await expect(finding(page, "全网最低")).toBeVisible();
  faults.length = 0;
});

test("hostile words in a post and in its report are only words", async ({ page }) => {
  const hostile = [
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    '"><svg onload=window.hit=1>',
    "[x](javascript:window.hit=1)",
    "‮<iframe srcdoc='<script>parent.hit=1</script>'>",
  ].join("\n");
  await page.route("**/v1/reports", async (route) => {
    const response = await route.fetch();
    const whole = await response.text();
    // Every text of the report becomes a hostile one, but those that the page reads.
    const spoilt = whole.replace(
      /"(quote|title|reason|reword|law|article|text|raw|value|term|required|proof|basis|exemption)": ?"[^"]*"/g,
      (_, name) => `"${name}":${JSON.stringify(hostile)}`,
    );
    await route.fulfill({ response, body: spoilt });
  });
  await openAnalyse(page, "moderate", "extract", "read", "sentiment");
  await check(page, `全网最低价 ${hostile}`);
  await expect(page.locator(".report-pane")).toContainText("window.hit=1");
  await expect(page.locator(".post-words")).toContainText("<script>window.hit=1</script>");
  await page.locator("[data-finding]").first().click();
  expect(await page.evaluate(() => "hit" in window)).toBe(false);
  await expect(
    page.locator(".analyse").locator("script, iframe, object, [onerror], [onload], a[href^=javascript]"),
  ).toHaveCount(0);
});

test("words alone are enough, and what was not checked is said", async ({ page }) => {
  await limitAnswers(page, 8);
  await openAnalyse(page, "moderate");
  await page.getByRole("textbox", { name: "帖子文字" }).fill("今天天气很好");
  await page.getByRole("button", { name: "开始检查" }).click();
  await waitForReport(page);
  await expect(page.getByRole("heading", { name: /没有发现问题/ })).toBeVisible();
  await expect(page.locator("#part-moderate .unchecked")).toContainText("没有检查的");
  await expect(page.getByText("这个帖子没有图片")).toBeVisible();
});
