import { cleanup, render } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import Markdown, { safeHref } from "./Markdown";

afterEach(cleanup);

function shown(text: string, isStreaming = false): HTMLElement {
  return render(<Markdown text={text} isStreaming={isStreaming} />).container;
}

test("tables, lists and emphasis are elements", () => {
  const page = shown("# 题\n\n| 内容 | 数值 |\n|---|---|\n| 现价 | **85** |\n\n- 一\n- 二");
  expect(page.querySelectorAll("td")).toHaveLength(2);
  expect(page.querySelector("strong")?.textContent).toBe("85");
  expect(page.querySelectorAll("li")).toHaveLength(2);
  expect(page.querySelector("h1")).toBeNull();
});

test("lines stay lines", () => {
  expect(shown("夏日火锅套餐\n特价：85元").querySelectorAll("br")).toHaveLength(1);
});

test("links open elsewhere and only for http", () => {
  const link = shown("[看](https://example.com/a?b=1)").querySelector("a");
  expect(link?.getAttribute("href")).toBe("https://example.com/a?b=1");
  expect(link?.getAttribute("rel")).toContain("noopener");
  for (const href of [
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "//x.example",
    "/api/export",
    "",
  ])
    expect(safeHref(href)).toBeNull();
});

test("nothing that a model writes becomes an element that acts", () => {
  const hostile = [
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    '<a href="javascript:window.hit=1">x</a>',
    "[x](javascript:window.hit=1)",
    "[x](  JaVaScRiPt:window.hit=1)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](https://evil.example/p.png)",
    "![x](data:image/svg+xml,<svg onload=window.hit=1>)",
    "<svg/onload=window.hit=1>",
    '<iframe srcdoc="<script>window.hit=1</script>"></iframe>',
    "<style>*{background:url(https://evil.example)}</style>",
    '<form action="https://evil.example"><input name=a></form>',
    '<https://example.com/" onmouseover=window.hit=1>',
    "```html\n<script>window.hit=1</script>\n```",
    "| <img src=x onerror=window.hit=1> | b |\n|---|---|\n| <b onclick=window.hit=1>x</b> | y |",
    '[a](https://example.com "\\" onmouseover=\\"window.hit=1")',
    "<details open ontoggle=window.hit=1>x</details>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.hit=1>",
  ];
  const complained = vi.spyOn(console, "error");
  for (const text of hostile) {
    const page = shown(text);
    expect(
      page.querySelectorAll(
        "script,img,svg,iframe,style,form,input,object,embed,link,meta,base,details,math",
      ),
    ).toHaveLength(0);
    for (const element of page.querySelectorAll("*"))
      for (const { name, value } of element.attributes) {
        expect(name).not.toMatch(/^on|^style$|^srcset?$|^action$/i);
        expect(value).not.toMatch(/^\s*(javascript|data|vbscript):/i);
      }
    cleanup();
  }
  // React complains where such an attribute got as far as an element that it was asked to make.
  expect(complained).not.toHaveBeenCalled();
  expect("hit" in window).toBe(false);
});

test("text that looks like a tag stays text", () => {
  const text = "原价<199 且 <img src=x onerror=window.hit=1> & &lt;b&gt; **<b onclick=a=1>粗** `<i>`";
  const page = shown(text);
  expect(page.textContent).toContain("<img src=x onerror=window.hit=1>");
  expect(page.textContent).toContain("原价<199");
  expect(page.querySelector("strong")?.textContent).toBe("<b onclick=a=1>粗");
});
