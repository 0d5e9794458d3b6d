/** The miniature that ships: its sample cards are one click from an answer that is right, and says whose it is. */
import { answers, askFor, expect, open, test, waitForEnd } from "./page";

type Sample = [title: string, question: string, expected: string];
const samples = JSON.parse(process.env.KANDONG_TEST_SAMPLES ?? "[]") as Sample[];

test("every sample card gets the answer that stands on it @mini", async ({ page }) => {
  expect(samples.length).toBeGreaterThanOrEqual(6);
  for (const [title, question, expected] of samples) {
    await open(page);
    await page.getByRole("button", { name: `试试示例：${title}` }).click();
    await waitForEnd(page);
    await expect(page.locator("article.is-user")).toContainText(question);
    await expect(answers(page)).toHaveCount(1);
    const words = (await answers(page).innerText()).replace(/\s/g, "");
    expect(words).toContain(expected.replace(/\s/g, ""));
    await expect(answers(page).locator(".demo-tag")).toBeVisible();
    await page.evaluate(() => {
      location.hash = "";
    });
  }
});

test("a further question is answered from the same card @mini", async ({ page }) => {
  const [title, , expected] = samples.find(([, question]) => question.includes("原价是多少")) as Sample;
  await open(page);
  await page.getByRole("button", { name: `试试示例：${title}` }).click();
  await waitForEnd(page);
  await askFor(page, "原价是多少？");
  await waitForEnd(page);
  await expect(answers(page)).toHaveCount(2);
  await expect(answers(page).last()).toContainText(expected);
});
