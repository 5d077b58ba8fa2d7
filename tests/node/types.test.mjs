// The declarations in the eyes of the compiler of a user's project.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { npmTool, root, run } from '../../scripts/steps.mjs';

// How Node finds packages, and how bundlers do.
for (const [how, ...options] of [['Node'], ['bundlers', '--module', 'esnext', '--moduleResolution', 'bundler']]) {
  test(`right_uses_compile_and_wrong_ones_do_not_as_${how}_resolves`, async () => {
    // A mistake that compiles is an error too: its directive is left over.
    const { ok, output } = await run(...npmTool('typescript/bin/tsc', '--project', 'tests/types', ...options));
    assert.ok(ok, output);
  });
}

test('every_exported_name_has_a_right_and_a_wrong_use', () => {
  const declared = readFileSync(join(root, 'www/lib/index.d.ts'), 'utf8');
  const names = [...declared.matchAll(/^export (?:declare )?(?:interface|type|function|const) (\w+)/gm)];
  const imported = /^import \{([^}]*)\} from 'wamplet'/m.exec(
    readFileSync(join(root, 'tests/types/every_name.ts'), 'utf8'),
  );
  assert.deepEqual(
    imported[1]
      .split(',')
      .map((name) => name.replace(/^\s*(type )?/, '').trim())
      .filter(Boolean)
      .sort(),
    names.map(([, name]) => name).sort(),
  );
});

test('every_key_that_the_router_reads_of_a_realm_is_declared', () => {
  const read = readFileSync(join(root, 'src/config/keys.rs'), 'utf8');
  const declared = readFileSync(join(root, 'www/lib/index.d.ts'), 'utf8');
  const keys = [...read.matchAll(/\("([\w-]+)", (?:Key::|OF_CFXDB|NO_LINKS)/g)].map(([, key]) => key);
  assert.ok(keys.length > 40, keys.join());
  assert.deepEqual(
    keys.filter((key) => !new RegExp(`['{ ]${key}'?\\??: `).test(declared)),
    [],
  );
});
