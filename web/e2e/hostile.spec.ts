/** Hostile text in questions, names of files and answers: none of it runs, none of it is fetched, all of it is shown. */
import { addCard, cardBytes, expect, limitAnswers, open, test, waitForEnd } from "./page";

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

test("forty hostile strings do nothing, as question, name of a file, answer and title", async ({ page }) => {
  expect(HOSTILE).toHaveLength(40);
  await limitAnswers(page, 4);
  await open(page);
  await addCard(page);
  await page.getByRole("textbox", { name: "问题" }).fill(HOSTILE.join("\n\n"));
  await page.keyboard.press("Enter");
  await waitForEnd(page);
  // No model writes these on demand: they take the place of a stored chat's words on their way to the page.
  await page.route("**/api/conversations/conv_*", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    const [question, answer] = body.messages;
    const messages = HOSTILE.flatMap((text, index) => [
      { ...question, id: `msg_q${index}`, text, files: [{ ...question.files[0], filename: text }] },
      { ...answer, id: `msg_a${index}`, text, model: text },
    ]);
    await route.fulfill({ response, json: { ...body, title: HOSTILE[1], messages } });
  });
  await page.reload();
  await expect(page.locator("article.is-assistant")).toHaveCount(40);
  await expect(page.locator("article.is-user").first()).toContainText(HOSTILE[0] ?? "");
  const pictures = page.locator(".message-pictures img");
  await expect(pictures).toHaveCount(40);
  const names = await pictures.evaluateAll((found) => found.map((image) => image.getAttribute("alt")));
  expect(names).toEqual(HOSTILE.map((text) => `图片 ${text}`));
  await expect(page.locator(".markdown.x-markdown").first()).toBeVisible();
  await page.waitForTimeout(500);
  expect(await page.evaluate(() => "hit" in window)).toBe(false);
  const acting =
    "script, iframe, object, embed, form, style, link, meta, base, video, audio, a[href^=javascript], .markdown img";
  await expect(page.locator(".thread").locator(acting)).toHaveCount(0);
  const links = page.locator(".markdown a");
  for (const href of await links.evaluateAll((found) => found.map((link) => link.getAttribute("href"))))
    expect(href).toMatch(/^https?:\/\//);
});

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
