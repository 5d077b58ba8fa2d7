// The Proxy over a global WebSocket: which sockets it takes, what passes through, and that it can be undone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRouter, installWebSocket } from 'wamplet';
import { HELLO } from '../fixtures/clients.mjs';
import { inbox } from '../fixtures/wait.mjs';

let router;

before(async () => {
  router = await createRouter();
});
after(() => router.close());

/** A stand-in for the WebSocket of a browser: shows what reaches it. */
function fakeGlobal() {
  class WebSocket extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    constructor(...args) {
      super();
      this.args = args;
    }
  }
  return { WebSocket };
}

async function joins(socket) {
  const messages = inbox('WELCOME');
  socket.onopen = () => socket.send(`${HELLO}]`);
  socket.onmessage = ({ data }) => messages.push(data);
  assert.match(await messages.next(), /^\[2,/);
  socket.close();
}

test('matching_urls_end_at_the_router_and_others_pass_through', async () => {
  const matches = {
    text: 'ws://127.0.0.1:8080/ws',
    'text in another form': 'http://127.0.0.1:8080/x/../ws',
    expression: /:8080\/ws$/,
    'sticky expression': /ws:/g,
    function: (url) => url === 'ws://127.0.0.1:8080/ws',
    list: ['ws://other.test/', /8080/],
  };
  for (const [what, match] of Object.entries(matches)) {
    const target = fakeGlobal();
    const Original = target.WebSocket;
    const undo = installWebSocket({ match, router, target });
    await joins(new target.WebSocket('ws://127.0.0.1:8080/ws', ['wamp.2.json']));
    await joins(new target.WebSocket(new URL('ws://127.0.0.1:8080/ws'), 'wamp.2.json'));
    const through = new target.WebSocket('wss://elsewhere.test/ws', 'chat');
    assert.ok(through instanceof Original, what);
    assert.deepEqual(through.args, ['wss://elsewhere.test/ws', 'chat']);
    undo();
  }
});

test('a_url_that_is_none_goes_to_the_original_to_complain', () => {
  const target = fakeGlobal();
  installWebSocket({ match: () => true, router, target });
  assert.deepEqual(new target.WebSocket('no url').args, ['no url']);
});

test('a_wrong_match_is_refused_at_once', () => {
  for (const match of [undefined, 5, [5], {}]) {
    assert.throws(() => installWebSocket({ match, router, target: fakeGlobal() }), TypeError);
  }
  for (const [options, message] of [
    ['ws://wamplet.test/', 'options: expected an object, found "ws://wamplet.test/"'],
    [undefined, 'options: expected an object, found nothing'],
    [{ url: 'ws://a/' }, 'options.url: expected one of the keys "match", "router", "target", found "url"'],
  ]) {
    assert.throws(() => installWebSocket(options), { name: 'TypeError', message });
  }
  assert.throws(() => installWebSocket({ match: 'no url', router, target: fakeGlobal() }), { name: 'SyntaxError' });
});

test('sockets_of_both_kinds_are_instances_of_the_global_class', () => {
  const target = fakeGlobal();
  installWebSocket({ match: 'ws://wamplet.test/', router, target });
  const ours = new target.WebSocket('ws://wamplet.test/', 'wamp.2.json');
  assert.ok(ours instanceof target.WebSocket);
  assert.ok(new target.WebSocket('ws://elsewhere.test/') instanceof target.WebSocket);
  assert.ok(!({} instanceof target.WebSocket));
  ours.close();
});

test('the_global_class_keeps_its_constants_and_its_name', () => {
  const target = fakeGlobal();
  installWebSocket({ match: 'ws://wamplet.test/', router, target });
  assert.equal(target.WebSocket.OPEN, 1);
  assert.equal(target.WebSocket.name, 'WebSocket');
});

test('classes_that_extend_the_global_one_pass_through_as_themselves', () => {
  const target = fakeGlobal();
  installWebSocket({ match: 'ws://wamplet.test/', router, target });
  class Mine extends target.WebSocket {}
  assert.ok(new Mine('ws://elsewhere.test/') instanceof Mine);
});

test('undo_puts_back_exactly_what_was_there', () => {
  const target = fakeGlobal();
  const before = Object.getOwnPropertyDescriptor(target, 'WebSocket');
  installWebSocket({ match: 'ws://wamplet.test/', router, target })();
  assert.deepEqual(Object.getOwnPropertyDescriptor(target, 'WebSocket'), before);

  const empty = {};
  installWebSocket({ match: 'ws://wamplet.test/', router, target: empty })();
  assert.deepEqual(Object.getOwnPropertyNames(empty), []);
});

test('undo_out_of_order_leaves_the_other_interception_in_place', async () => {
  const target = fakeGlobal();
  const Original = target.WebSocket;
  const undoOne = installWebSocket({ match: 'ws://one.test/', router, target });
  const undoTwo = installWebSocket({ match: 'ws://two.test/', router, target });
  undoOne();
  assert.ok(new target.WebSocket('ws://one.test/') instanceof Original);
  await joins(new target.WebSocket('ws://two.test/', 'wamp.2.json'));
  undoTwo();
  assert.ok(new target.WebSocket('ws://two.test/') instanceof Original);
});

test('where_there_is_no_WebSocket_only_ours_can_be_opened', async () => {
  const target = {};
  installWebSocket({ match: 'ws://wamplet.test/', router, target });
  await joins(new target.WebSocket('ws://wamplet.test/', 'wamp.2.json'));
  assert.throws(() => new target.WebSocket('ws://elsewhere.test/'), /no WebSocket here/);
  assert.equal(target.WebSocket.OPEN, 1);
});
