/** Hostile text in questions, names of files and answers: none of it runs, none of it is fetched, all of it is shown. */
import { cardBytes, expect, limitAnswers, open, test, waitForEnd } from "./page";

const SERVER = "http://evil.example";
const HOSTILE = [
  "<script>window.hit=1</script>",
  "<img src=x onerror=window.hit=1>",
  `<img src="${SERVER}/a.png">`,
  "<svg onload=window.hit=1>",
  "<svg><script>window.hit=1</script></svg>",
  "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
  `<iframe src="${SERVER}"></iframe>`,
  "<body onload=window.hit=1>",
  "<details open ontoggle=window.hit=1>x",
  "<video><source onerror=window.hit=1></video>",
  "<math><mtext></form><form><mglyph><style></math><img src onerror=window.hit=1>",
  '<a href="javascript:window.hit=1">x</a>',
  "[x](javascript:window.hit=1)",
  "[x](JaVaScRiPt:window.hit=1)",
  "[x](&#106;avascript:window.hit=1)",
  "[x](data:text/html;base64,PHNjcmlwdD4=)",
  "[x](vbscript:x)",
  `![x](${SERVER}/pixel.png)`,
  `![x](${SERVER}/pixel.png "title")`,
  `[![x](${SERVER}/p.png)](${SERVER})`,
  "![x](data:image/svg+xml,<svg onload=window.hit=1>)",
  `<style>@import url(${SERVER}/a.css)</style>`,
  `<div style="background:url(${SERVER}/b.png)">x</div>`,
  `<link rel=stylesheet href=${SERVER}/c.css>`,
  `<meta http-equiv=refresh content="0;url=${SERVER}">`,
  `<base href="${SERVER}">`,
  `<form action="${SERVER}"><button>x</button></form>`,
  `<object data="${SERVER}"></object>`,
  `<embed src="${SERVER}">`,
  "<input autofocus onfocus=window.hit=1>",
  "<textarea></textarea><img src=x onerror=window.hit=1>",
  '"><img src=x onerror=window.hit=1>',
  "'-window.hit=1-'",
  "$" + "{window.hit=1}{{window.hit=1}}",
  "</script><script>window.hit=1</script>",
  "```html\n<script>window.hit=1</script>\n```",
  "| <img src=x onerror=window.hit=1> | b |\n|---|---|\n| <b onclick=window.hit=1>x</b> | y |",
  '<https://e.example/" onmouseover=window.hit=1>',
  "<|im_start|>system\nwindow.hit=1<|im_end|>",
  `<audio src="${SERVER}/a.mp3" autoplay>`,
];

test("forty hostile strings do nothing, as question, answer and title", async ({
  page,
  request,
  baseURL,
}) => {
  expect(HOSTILE).toHaveLength(40);
  const message = (role: string, text: string) => ({ role, text, files: [], status: "complete" });
  const messages = HOSTILE.flatMap((text) => [message("user", text), message("assistant", text)]);
  const made = await request.post("/api/conversations", { data: { title: HOSTILE[1] } });
  const exported = await request.get(`/api/conversations/${(await made.json()).id}/export`);
  const body = await exported.json();
  Object.assign(body.conversations[0], { id: "conv_hostile", messages: withTheFieldsOf(body, messages) });
  const imported = await request.post("/api/import", { data: body, headers: { Origin: baseURL ?? "" } });
  const [id] = (await imported.json()).conversation_ids;
  await page.goto(`/#/c/${id}`);
  await expect(page.locator("article.is-assistant")).toHaveCount(40);
  await expect(page.locator("article.is-user").first()).toContainText(HOSTILE[0] ?? "");
  await expect(page.locator(".markdown.x-markdown").first()).toBeVisible();
  await page.waitForTimeout(500);
  expect(await page.evaluate(() => "hit" in window)).toBe(false);
  const bad = page
    .locator(".thread")
    .locator(
      "script, iframe, object, embed, form, style, link, meta, base, video, audio, a[href^=javascript], .markdown img",
    );
  await expect(bad).toHaveCount(0);
  for (const href of await page
    .locator(".markdown a")
    .evaluateAll((links) => links.map((link) => link.getAttribute("href"))))
    expect(href).toMatch(/^https?:\/\//);
});

/** Give each message all that an exported one has. */
function withTheFieldsOf(_body: unknown, messages: { role: string; text: string }[]): object[] {
  return messages.map((message, index) => ({
    id: `msg_h${index}`,
    created_at: "2026-01-01T00:00:00.000Z",
    finish_reason: message.role === "assistant" ? "stop" : null,
    stopped_by: null,
    error: null,
    usage: null,
    timings_ms: null,
    pictures: null,
    dropped_rounds: 0,
    generation_id: null,
    model: null,
    evidence: null,
    ...message,
  }));
}

test("hostile names of files are only names", async ({ page }) => {
  await limitAnswers(page, 8);
  await open(page);
  const names = [
    "<img src=x onerror=window.hit=1>.png",
    '"><script>window.hit=1</script>.png',
    "../../etc/passwd.png",
    "a‮gnp.exe",
  ];
  for (const name of names) {
    await page.getByTestId("files").setInputFiles({ name, mimeType: "image/png", buffer: cardBytes() });
  }
  await expect(page.getByRole("list", { name: "待发送的图片" }).getByRole("img")).toHaveCount(names.length);
  await page.getByRole("textbox", { name: "问题" }).fill("看看");
  await page.keyboard.press("Enter");
  await waitForEnd(page);
  await page.locator(".message-pictures button").first().click();
  await expect(page.getByRole("dialog", { name: "图片" })).toBeVisible();
  expect(await page.evaluate(() => "hit" in window)).toBe(false);
});
