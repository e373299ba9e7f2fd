// The page by itself: it comes up complete, in both colour schemes and both sizes, from any path.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, shot, url } from "./lib.mjs";

let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

for (const scheme of ["light", "dark"]) {
  for (const [width, height] of [[1280, 720], [820, 1180]]) {
    test(`comes up ${scheme} at ${width}×${height} without a complaint`, async () => {
      const page = await open(browser, { scheme, width, height });
      await page.locator("main").first().waitFor();
      await page.waitForTimeout(500);
      await shot(page, `start-${scheme}-${width}x${height}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `the page is ${wide} pixels wide`);
      assert.deepEqual(page.complaints, []);
      await page.context().close();
    });
  }
}

test("everything it loads has a name that is relative or its own", async () => {
  const html = await (await fetch(url)).text();
  for (const [, name] of html.matchAll(/(?:src|href)="([^"]+)"/g))
    assert.doesNotMatch(name, /^(\/|https?:)/, `index.html names ${name}`);
});
