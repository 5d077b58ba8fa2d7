// npm run features: writes docs/features.md from tests/features.mjs, and docs/clients.md from the table of real clients. With
// --check, only says whether they are up to date.
//
// A table of features that nobody checks lies after a while: every row names a test, and the test must be there.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { features } from '../tests/features.mjs';
import { clientsPage, escaped } from './clients.mjs';
import { root, Stop, script } from './steps.mjs';

const PLACES = ['tests', 'src'];
const HEADER = `# Features

What the specification and Crossbar.io have, and what wamplet has of it: in a browser, and as the native router. "Spec" is
the status in the specification's own list. The test named in each row shows the feature; \`npm run features\` writes this
page from \`tests/features.mjs\` and refuses a row whose test does not exist. ARCHITECTURE.md says why something is out of scope,
[clients.md](clients.md) what real clients do with it.
`;

await script(async () => {
  const sources = [...PLACES.flatMap((place) => files(join(root, place)))];
  const missing = [];
  const sections = Object.entries(features).map(([title, rows]) => {
    const lines = rows.map(([feature, spec, crossbar, browser, native, test]) => {
      if (!exists(test, sources)) missing.push(`${feature}: ${test}`);
      return `| ${[feature, spec, crossbar, browser, native, shown(test)].map(escaped).join(' | ')} |`;
    });
    return [
      `## ${title}`,
      '',
      '| Feature | Spec | Crossbar.io | Browser | Native | Test |',
      '| --- | --- | --- | --- | --- | --- |',
      ...lines,
    ].join('\n');
  });
  if (missing.length > 0) throw new Stop(`tests/features.mjs names tests that do not exist:\n${missing.join('\n')}`);
  const pages = { 'docs/features.md': `${HEADER}\n${sections.join('\n\n')}\n`, 'docs/clients.md': clientsPage() };
  for (const [path, page] of Object.entries(pages)) {
    if (!process.argv.includes('--check')) writeFileSync(join(root, path), page);
    else if (readFileSync(join(root, path), 'utf8') !== page)
      throw new Stop(`${path} is out of date: npm run features`);
  }
});

/** Whether a test of that name is in a file of that name. */
function exists(test, sources) {
  const [file, name] = test.split('::');
  if (test === 'out of scope') return true;
  const candidates = sources.filter(({ path }) =>
    new RegExp(`(^|/)${file}(\\.rs|(\\.test)?\\.mjs|/mod\\.rs)$`).test(path),
  );
  if (name === undefined) return candidates.length > 0;
  const definition = new RegExp(`fn ${name}\\(|'${name}'|async ${name}\\(|\\b${name}\\(\\{|\\b${name}: \\{`);
  return candidates.some(({ text }) => definition.test(text));
}

function shown(test) {
  return test === 'out of scope' ? test : `\`${test}\``;
}

function files(directory) {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) return files(path);
    return /\.(rs|mjs)$/.test(name) && !path.endsWith('features.mjs')
      ? [{ path, text: readFileSync(path, 'utf8') }]
      : [];
  });
}
