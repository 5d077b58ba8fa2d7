// Splits the JSON text of a WAMP message into head and tail without parsing it.
//
// The text of a CALL is cut before its Args: the router reads the few bytes of the head, and the payload goes on as the
// text that the app made. The tail is walked once, because nobody behind us looks at it again before it reaches the
// receivers, whose parsers a malformed one would break. What cannot be split goes to the router whole, for it to refuse.

import { HEAD_ELEMENTS, hasEncodedArgs, MAX_DEPTH } from './tail.ts';

export interface SplitText {
  head: string;
  /** `''` where there is none. */
  tail: string;
}

/** Always answers: a text that is no JSON array comes back as a head that no router accepts. */
export function splitMessage(text: string): SplitText {
  let end = text.length;
  while (isSpace(text.charCodeAt(end - 1))) end -= 1;
  // Truncated, or no array: marked, since a head does without its bracket and the router could not see the difference.
  if (text.charCodeAt(end - 1) !== CLOSE_BRACKET) return refused(text);
  const inner = end - 1;

  const tailStart = findTail(text, inner);
  if (tailStart === undefined) return { head: text.slice(0, inner), tail: '' };
  const head = text.slice(0, tailStart - 1);
  if (!isTail(text, tailStart, inner, head)) return refused(text);
  return { head, tail: text.slice(tailStart, inner) };
}

/** A control character is nowhere allowed in JSON: the router's error message then says where the text broke off. */
function refused(text: string): SplitText {
  return { head: `${text}\0`, tail: '' };
}

/** Where Args begin; undefined for a message without them, and for a head too garbled to be skipped. */
function findTail(text: string, end: number): number | undefined {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_BRACKET) return undefined;
  at = skipSpace(text, at + 1);
  const code = /\d{1,3}/y;
  code.lastIndex = at;
  const elements = HEAD_ELEMENTS.get(Number(code.exec(text)?.[0]));
  if (elements === undefined) return undefined;
  at = code.lastIndex;
  for (let element = 1; element < elements; element += 1) {
    at = skipSpace(text, at);
    if (text.charCodeAt(at) !== COMMA) return undefined;
    const next = skipValue(text, at + 1, end, 1);
    if (next === undefined) return undefined;
    at = next;
  }
  at = skipSpace(text, at);
  return at < end && text.charCodeAt(at) === COMMA ? at + 1 : undefined;
}

/**
 * Whether `start..end` holds Args, or Args and Kwargs: a list and a dictionary, since nobody looks at them again. Only
 * behind a head with `enc_algo` may a string stand in the place of Args.
 */
function isTail(text: string, start: number, end: number, head: string): boolean {
  const first = text.charCodeAt(skipSpace(text, start));
  if (first !== OPEN_BRACKET && !(first === QUOTE && hasEncodedArgs(head))) return false;
  const args = skipValue(text, start, end, 1);
  if (args === undefined) return false;
  let at = skipSpace(text, args);
  if (at === end) return true;
  if (text.charCodeAt(at) !== COMMA) return false;
  at = skipSpace(text, at + 1);
  if (text.charCodeAt(at) !== OPEN_BRACE) return false;
  const kwargs = skipValue(text, at, end, 1);
  if (kwargs === undefined) return false;
  at = skipSpace(text, kwargs);
  return at === end;
}

/** The index behind the JSON value at `start` (spaces before it are skipped), or undefined where none is well-formed. */
function skipValue(text: string, start: number, end: number, depth: number): number | undefined {
  // The brackets that are open: true for an object.
  const open: boolean[] = [];
  let at = start;
  for (;;) {
    at = skipSpace(text, at);
    const opened = text.charCodeAt(at);
    if (opened === OPEN_BRACKET || opened === OPEN_BRACE) {
      const isObject = opened === OPEN_BRACE;
      at = skipSpace(text, at + 1);
      if (text.charCodeAt(at) !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
        if (open.push(isObject) + depth > MAX_DEPTH) return undefined;
        if (isObject) at = skipKey(text, at);
        if (at < 0) return undefined;
        continue;
      }
      if (open.length + 1 + depth > MAX_DEPTH) return undefined;
      at += 1;
    } else {
      at = skipScalar(text, at, opened);
      if (at < 0) return undefined;
    }
    // A value has ended: close what closes here, up to the next comma.
    for (;;) {
      if (at > end) return undefined;
      if (open.length === 0) return at;
      const isObject = open.at(-1);
      at = skipSpace(text, at);
      const code = text.charCodeAt(at);
      if (code === COMMA) {
        at += 1;
        if (isObject) at = skipKey(text, skipSpace(text, at));
        if (at < 0) return undefined;
        break;
      }
      if (code !== (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) return undefined;
      open.pop();
      at += 1;
    }
  }
}

/** The index behind `"key":`, or -1. */
function skipKey(text: string, start: number): number {
  if (text.charCodeAt(start) !== QUOTE) return -1;
  const end = skipString(text, start);
  if (end < 0) return -1;
  const colon = skipSpace(text, end);
  return text.charCodeAt(colon) === COLON ? colon + 1 : -1;
}

/** The index behind a string, number, true, false or null, or -1. */
function skipScalar(text: string, start: number, code: number): number {
  if (code === QUOTE) return skipString(text, start);
  const literal = code === 0x74 ? 'true' : code === 0x66 ? 'false' : code === 0x6e ? 'null' : undefined;
  if (literal !== undefined) return text.startsWith(literal, start) ? start + literal.length : -1;
  NUMBER.lastIndex = start;
  return NUMBER.test(text) ? NUMBER.lastIndex : -1;
}

/** The index behind the string whose quote is at `start`, or -1. */
function skipString(text: string, start: number): number {
  let slow = start + 24;
  for (let at = start + 1; ; ) {
    // Character by character is quickest for what most strings are: short. The rest of a long one is for the engine.
    if (at >= slow) {
      PLAIN.lastIndex = at;
      PLAIN.test(text);
      at = PLAIN.lastIndex;
      slow = at + 24;
    }
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) {
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(text)) return -1;
      at = ESCAPE.lastIndex;
    } else {
      // NaN, behind the end of the text, is not above.
      if (!(code >= 0x20)) return -1;
      at += 1;
    }
  }
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** Matches what needs no look, possibly nothing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON forbids in a string
const PLAIN = /[^"\\\0-\x1f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
