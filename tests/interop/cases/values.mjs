// Payloads for the cases.

/** Values that a serializer can get wrong. */
export const VALUES = [
  { args: [], kwargs: {} },
  { args: [1], kwargs: {} },
  { args: [[]], kwargs: {} },
  { args: [0, -1, 255, 65_536, -2_147_483_649, 2 ** 53 - 1, 1.5, -1e-7, true, false, null], kwargs: {} },
  { args: ['', 'é', '漢字', '\u{1F600}', '"\\/\b\f\n\r\t\u0001', '\u2028'], kwargs: { ключ: 'значение' } },
  { args: [{ deep: [{ deeper: [[], {}, [null]] }] }], kwargs: { a: 1, b: [2], c: { d: null } } },
];

/** Every byte there is, and more than one block of base64 with a rest. */
export const BYTES = Uint8Array.from({ length: 256 * 4 + 1 }, (_, index) => index & 0xff);

export const MEGABYTE = 'wämp'.repeat(200_000);
