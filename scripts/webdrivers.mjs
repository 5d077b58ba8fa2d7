// The browsers that the lifecycle tests drive by WebDriver, as their users have them: each with its driver.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { findChromium } from './chromium.mjs';
import { Stop } from './steps.mjs';
import { toolsDir } from './toolchain.mjs';

/** Of the crate; npm's package of that name downloads a program when it is installed, and Debian has none. */
export const geckodriverVersion = '0.37.1';

const suffix = process.platform === 'win32' ? '.exe' : '';

/** `{ browser, driver }`, the paths of both, either undefined where it is not there. */
export const engines = {
  chromium: () => ({ browser: findChromium(), driver: find('CHROMEDRIVER', ['chromedriver']) }),
  firefox: () => ({
    browser: find(
      'FIREFOX',
      ['firefox-esr', 'firefox'],
      [
        '/Applications/Firefox.app/Contents/MacOS/firefox',
        join(process.env.PROGRAMFILES ?? '', 'Mozilla Firefox/firefox.exe'),
      ],
    ),
    driver: find('GECKODRIVER', ['geckodriver'], [join(toolsDir, 'bin', `geckodriver${suffix}`)]),
  }),
};

/** Why an engine cannot be driven on this machine; false where it can. */
export function missing(engine) {
  const { browser, driver } = engines[engine]();
  if (browser === undefined) return `${engine} is not installed`;
  if (driver === undefined) return `there is no ${engine === 'firefox' ? 'geckodriver' : 'chromedriver'}`;
  // Firefox's driver drives many versions.
  if (engine === 'firefox') return false;
  const [ours, its] = [browser, driver].map(majorVersion);
  const isOther = ours !== undefined && its !== undefined && ours !== its;
  return isOther && `chromedriver ${its} does not drive Chromium ${ours}`;
}

function majorVersion(program) {
  // There a browser that is asked for its version opens a window.
  if (process.platform === 'win32') return undefined;
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  return / (\d+)\./.exec(stdout ?? '')?.[1];
}

/** The first of these programs on PATH or at a usual place. The variable names one and overrules the search. */
function find(variable, names, places = []) {
  const chosen = process.env[variable];
  if (chosen) {
    if (existsSync(chosen)) return chosen;
    throw new Stop(`The variable ${variable} names "${chosen}", and there is no such file: correct or unset it.`);
  }
  const folders = (process.env.PATH ?? '').split(delimiter);
  const onPath = folders.flatMap((folder) => names.map((name) => join(folder, name + suffix)));
  return [...onPath, ...places].find((path) => existsSync(path));
}
