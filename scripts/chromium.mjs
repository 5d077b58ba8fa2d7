// The browser of the tests: found on this machine, never downloaded, and driven by playwright-core.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Stop } from './steps.mjs';

const names = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'microsoft-edge',
  'msedge',
];

/** Folders beside those on PATH where the installers of macOS and Windows put a browser. */
function usualPlaces() {
  if (process.platform === 'darwin') {
    return ['Google Chrome', 'Chromium', 'Microsoft Edge'].map(
      (app) => `/Applications/${app}.app/Contents/MacOS/${app}`,
    );
  }
  if (process.platform === 'win32') {
    const { PROGRAMFILES, 'PROGRAMFILES(X86)': PROGRAMFILES_X86, LOCALAPPDATA } = process.env;
    return [PROGRAMFILES, PROGRAMFILES_X86, LOCALAPPDATA]
      .filter(Boolean)
      .flatMap((folder) =>
        ['Google/Chrome/Application/chrome.exe', 'Microsoft/Edge/Application/msedge.exe'].map((path) =>
          join(folder, path),
        ),
      );
  }
  return [];
}

/** The path of a Chromium-based browser, or undefined. The variable CHROMIUM names one and overrules the search. */
export function findChromium() {
  const chosen = process.env.CHROMIUM;
  if (chosen) {
    if (existsSync(chosen)) return chosen;
    throw new Stop(`The variable CHROMIUM names "${chosen}", and there is no such file: correct or unset it.`);
  }
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name + suffix)));
  return [...onPath, ...usualPlaces()].find((path) => existsSync(path));
}

/** Starts the browser without a window. `options` are those of Playwright's `launch` and add to ours. */
export async function launchChromium({ args = [], ...options } = {}) {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    throw new Stop(
      'The browser tests need Chromium, Chrome or Edge, and none was found: ' +
        'install one, or set the variable CHROMIUM to the path of its program.',
    );
  }
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    executablePath,
    headless: true,
    // Chromium refuses to start its sandbox as root, which is what a container usually is.
    chromiumSandbox: process.getuid?.() !== 0,
    // A browser under test looks up nothing by itself: no updates, no sync, no network experiments.
    args: [
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-gpu',
      '--disable-quic',
      '--disable-sync',
      '--no-first-run',
      ...args,
    ],
    ...options,
  });
}
