// Checked by the compiler, never run: the hand-kept declarations promise what the library has, and nothing else.

import type * as declared from 'wamplet';
import * as built from '../../www/lib/index.ts';

/** Everything that is declared exists, with a type that fits. */
export const promised: typeof declared = built;

/** Everything that exists is declared. */
declare const exported: keyof typeof built;
export const complete: keyof typeof declared = exported;
