// Checked by the compiler, never run: the hand-kept declarations promise what the library has, and nothing else.

import type * as declared from 'wamplet';
import type * as declaredClient from 'wamplet/client';
import type * as declaredAuth from 'wamplet/client/auth';
import * as builtClient from '../../www/lib/client.ts';
import * as builtAuth from '../../www/lib/client-auth.ts';
import * as built from '../../www/lib/index.ts';

/** Everything that is declared exists, with a type that fits. */
export const promised: typeof declared = built;
export const promisedClient: typeof declaredClient = builtClient;
export const promisedAuth: typeof declaredAuth = builtAuth;

/** Everything that exists is declared. */
declare const exported: keyof typeof built;
export const complete: keyof typeof declared = exported;
declare const exportedClient: keyof typeof builtClient;
export const completeClient: keyof typeof declaredClient = exportedClient;
declare const exportedAuth: keyof typeof builtAuth;
export const completeAuth: keyof typeof declaredAuth = exportedAuth;
