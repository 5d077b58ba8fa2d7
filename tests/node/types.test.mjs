// The declarations in the eyes of the compiler of a user's project.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { npmTool, run } from '../../scripts/steps.mjs';

test('right_uses_compile_and_wrong_ones_do_not', async () => {
  // A mistake that compiles is an error too: its directive is left over.
  const { ok, output } = await run(...npmTool('typescript/bin/tsc', '--project', 'tests/types'));
  assert.ok(ok, output);
});
