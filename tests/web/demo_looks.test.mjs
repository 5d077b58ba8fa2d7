// How the demo looks: in narrow and low windows, in both colour schemes, in scripts from the right.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { begin, detailsOf, hasNoSidewaysScroll, joined, open, press, session, visitDemo } from '../fixtures/demo.mjs';

visitDemo();

for (const [width, colorScheme] of [
  // 400 % of 1280. [WCAG 2.2, 1.4.10]
  [320, 'light'],
  [360, 'light'],
  [360, 'dark'],
]) {
  test(`a_window_of_${width}_pixels_holds_everything_in_${colorScheme}_mode`, async () => {
    await begin({ viewport: { width, height: 740 }, colorScheme, reducedMotion: 'reduce' });
    const start = await open();
    assert.ok(await hasNoSidewaysScroll(start), 'the form');
    const longest = 'W'.repeat(24);
    const page = await joined(longest, `realm.${'w'.repeat(50)}`);
    await joined('Grace', `realm.${'w'.repeat(50)}`);
    await session(page, 'Grace').waitFor();
    assert.ok(await hasNoSidewaysScroll(page), 'joined');
    const [name, actions] = await Promise.all(['h1', '#actions'].map((part) => page.locator(part).boundingBox()));
    assert.ok(name.x + name.width <= actions.x, 'no button lies on the name');
    await joined('Hedy', `realm.${'w'.repeat(50)}`);
    await session(page, 'Hedy').waitFor();
    const [list, third] = await Promise.all(
      [page.locator('#people-scroll'), session(page, 'Hedy')].map((node) => node.boundingBox()),
    );
    assert.ok(third.y + third.height <= list.y + list.height, 'three rows show');
    for (const button of await page.getByRole('button').all()) {
      const box = await button.boundingBox();
      if (box)
        assert.ok(box.x >= 0 && box.x + box.width <= width, `${await button.textContent()} is within the window`);
    }

    await detailsOf(page, 'Grace');
    assert.ok(await hasNoSidewaysScroll(page), 'details');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Leave' }).click();
    await page.locator('#notice', { hasText: 'You left' }).waitFor();
    assert.ok(await hasNoSidewaysScroll(page), 'notice');
  });
}

test('each_panel_shows_some_of_its_list_in_a_low_window', async () => {
  // 400 % of 1280 by 1024. [WCAG 2.2, 1.4.10]
  await begin({ viewport: { width: 320, height: 256 }, reducedMotion: 'reduce' });
  const page = await joined('Ada');
  for (const list of ['#people-scroll', '#feed-scroll', '#log-scroll']) {
    const { height } = await page.locator(list).boundingBox();
    assert.ok(height >= 160, `${list} has ${height} pixels`);
  }
});

test('long_terms_and_values_leave_each_other_room_in_a_narrow_window', async () => {
  await begin({ viewport: { width: 320, height: 640 }, reducedMotion: 'reduce' });
  const ada = await joined('Ada');
  const grace = await joined('Grace');
  const dialog = await detailsOf(ada, 'Grace', 'transport.channel_serializer');
  const wide = await dialog
    .locator('dt')
    .evaluateAll((terms) =>
      terms.filter((term) => term.scrollWidth > term.clientWidth).map((term) => term.textContent),
    );
  assert.deepEqual(wide, [], 'terms that reach into their values');
  await ada.keyboard.press('Escape');

  await press(ada, 'Grace', /^Kill/);
  await ada.getByLabel('Reason, a URI').fill(`com.example.${'r'.repeat(100)}`);
  await ada.getByRole('dialog').getByRole('button', { name: 'Kill the session' }).click();
  const term = grace.locator('#notice dt', { hasText: 'Reason' });
  await term.waitFor();
  const lines = await term.evaluate((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return range.getClientRects().length;
  });
  assert.equal(lines, 1, 'a term is not torn apart');
  assert.ok(await hasNoSidewaysScroll(grace), 'notice');
});

for (const colorScheme of ['light', 'dark']) {
  test(`text_has_enough_contrast_in_${colorScheme}_mode`, async () => {
    await begin({ colorScheme, reducedMotion: 'reduce' });
    const ada = await joined('Ada');
    const grace = await joined('Grace');
    await grace.getByRole('button', { name: 'Start a worker' }).click();
    await session(ada, 'Grace’s worker').waitFor();
    await press(ada, 'Grace', 'Say hello to Grace');
    await ada.getByLabel('Message to publish').fill('contrast');
    await ada.keyboard.press('Enter');
    await ada.locator('.post').waitFor();
    await ada.mouse.move(0, 0);
    assert.deepEqual(await ada.evaluate(pallidTexts), []);

    await press(grace, 'Ada', /^Kill/);
    await grace.getByRole('dialog').getByRole('button', { name: 'Kill the session' }).click();
    await ada.locator('#notice', { hasText: 'killed' }).waitFor();
    assert.deepEqual(await ada.evaluate(pallidTexts), []);
    await ada.getByRole('button', { name: 'Change name or realm' }).click();
    assert.deepEqual(await ada.evaluate(pallidTexts), []);
  });
}

/** In the page: the visible texts whose contrast is under the 4.5 of WCAG AA. Disabled controls need none. */
function pallidTexts() {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const paint = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const element = text.parentElement;
    if (text.data.trim() === '' || !element.checkVisibility() || element.closest('script, noscript, :disabled'))
      continue;
    const grounds = [];
    for (let node = element; node; node = node.parentElement) grounds.unshift(getComputedStyle(node).backgroundColor);
    const ground = paint(grounds);
    const ink = paint([...grounds, getComputedStyle(element).color]);
    const [low, high] = [luminance(ground), luminance(ink)].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) found.push(`${text.data.trim()}: ${contrast.toFixed(2)}`);
  }
  return found;
}

test('a_line_that_is_written_from_the_right_ends_at_the_left', async () => {
  const ada = await joined('Ada');
  await ada.getByLabel('Message to publish').fill('\u05e9\u05dc\u05d5\u05dd!');
  await ada.getByRole('button', { name: 'Publish' }).click();
  const [first, last] = await ada.locator('.post-text').evaluate(({ firstChild }) =>
    [0, firstChild.length - 1].map((at) => {
      const range = document.createRange();
      range.setStart(firstChild, at);
      range.setEnd(firstChild, at + 1);
      return range.getBoundingClientRect().x;
    }),
  );
  assert.ok(last < first, `${last} is left of ${first}`);
});
