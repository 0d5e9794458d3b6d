import { expect, test } from "vitest";
import { foldEvent, newLive, speedOf } from "./live";

test("the stages follow each other and text adds up", () => {
  let live = newLive("connecting", "gen_1", 0);
  live = foldEvent(live, { event: "queued", data: { position: 3, predicted_wait_ms: 4000 } }, 10);
  expect(live).toMatchObject({ stage: "queued", position: 3, waitMs: 4000 });
  const vision = { stage: "vision", num_done: 5, num_total: 24, picture_index: 1, num_pictures: 2 } as const;
  live = foldEvent(live, { event: "progress", data: vision }, 20);
  expect(live).toMatchObject({ stage: "vision", pictureIndex: 1, numPictures: 2, done: 5 / 24 });
  live = foldEvent(live, { event: "text", data: { text: "价格", num_tokens: 1 } }, 1000);
  live = foldEvent(live, { event: "text", data: { text: "是85元", num_tokens: 4 } }, 2000);
  expect(live).toMatchObject({ stage: "writing", text: "价格是85元", firstTextMs: 1000 });
});

test("speed leaves out what was written before we came", () => {
  let live = newLive("connecting", "gen_1", 0);
  live = foldEvent(live, { event: "text", data: { text: "x".repeat(500), num_tokens: null } }, 1000);
  expect(speedOf(live)).toBeNull();
  for (let i = 1; i <= 20; i += 1)
    live = foldEvent(live, { event: "text", data: { text: "字", num_tokens: null } }, 1000 + i * 100);
  expect(speedOf(live)).toEqual({ unit: "chars", perSecond: 10 });
});

test("tokens that came before us do not count as written since", () => {
  let live = newLive("connecting", "gen_1", 0);
  live = foldEvent(live, { event: "text", data: { text: "x".repeat(500), num_tokens: 300 } }, 1000);
  live = foldEvent(live, { event: "text", data: { text: "字", num_tokens: 2 } }, 2000);
  expect(speedOf(live)).toEqual({ unit: "tokens", perSecond: 2 });
});

test("speed is in tokens where the server counts them", () => {
  let live = newLive("connecting", "gen_1", 0);
  live = foldEvent(live, { event: "text", data: { text: "一", num_tokens: 1 } }, 0);
  live = foldEvent(live, { event: "text", data: { text: "二三", num_tokens: 3 } }, 1000);
  expect(speedOf(live)).toEqual({ unit: "tokens", perSecond: 3 });
});
