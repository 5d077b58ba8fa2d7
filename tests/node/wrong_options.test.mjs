// Options and configurations that are wrong, in plain JavaScript, where no compiler says so: a sentence names what and where.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRouter } from 'wamplet';

const KEYS = '"name", "wasm", "seed", "components", "deciders"';

const WRONG = {
  'a misspelt option': [[undefined, { sed: 1 }], `options.sed: expected one of the keys ${KEYS}, found "sed"`],
  'options that are a text': [[undefined, 'lab'], 'options: expected an object, found "lab"'],
  'options that are null': [[undefined, null], 'options: expected an object, found null'],
  'a relative address where there is no page': [
    [undefined, { wasm: './wamplet.wasm' }],
    'options.wasm: expected a URL, found "./wamplet.wasm"',
  ],
};

for (const [what, [given, message]] of Object.entries(WRONG)) {
  test(`${what.replaceAll(' ', '_')}_rejects_with_its_place`, async () => {
    await assert.rejects(createRouter(...given), { name: 'TypeError', message });
  });
}

test('what_is_no_json_in_a_configuration_is_as_good_as_not_there', async () => {
  const router = await createRouter({ realms: () => [], components: undefined });
  assert.deepEqual(router.inspect().realms, []);
  await router.close();
});
