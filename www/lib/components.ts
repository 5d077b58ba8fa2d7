// Components of a router that runs in JavaScript: who the configuration says they are, and what runs them.
//
// Owns the keys of `components`, and the start and end of the code that a program names for each class. To the router a
// component is a client like any other, but for its port, which has the realm and role of the configuration whatever
// its code says (`port.ts`). All else of the configuration is the core's to read, and accepted before it comes here.

import { type CodeRegistry, loadCode, place, readRegistry } from './code.ts';
import { sentence } from './environment.ts';
import type { Host } from './host.ts';
import type { Identity } from './identity.ts';
import { listed, shown } from './wording.ts';

/** What the code of a component is told about it. */
export interface ComponentInfo {
  classname: string;
  realm: string;
  role: string;
  id: string | undefined;
  extra: unknown;
}

/** Runs a component. If it answers, or promises, a function, that one ends it. */
export type ComponentFactory = (port: MessagePort, component: ComponentInfo) => unknown;

/** classname -> what runs it */
export type ComponentRegistry = CodeRegistry<ComponentFactory>;

/** A component with its code. */
export interface Component {
  info: ComponentInfo;
  code: ComponentRegistry[string];
}

/** As much of a configuration as matters here. */
interface Configuration {
  realms?: { name: string; roles: { name: string }[] }[] | null;
  components?: unknown;
  workers?: (Configuration & { type: string })[] | null;
}

const KEYS = ['type', 'id', 'classname', 'realm', 'role', 'extra'];

type Entry = Record<(typeof KEYS)[number] | 'restart' | 'references', unknown>;

/**
 * The components that can be started, from a configuration that the core has accepted. Throws with all that is wrong
 * with them; warns of those that nothing runs.
 */
export function readComponents(
  config: unknown,
  registry: ComponentRegistry | undefined,
  warn: (text: string) => void,
): Component[] {
  const codes = readRegistry('components', registry);
  // As the core was given it: a function, for one, is no JSON, and was not there.
  const reader = new Reader(JSON.parse(JSON.stringify(config ?? null)) as Configuration | null);
  const components: Component[] = [];
  for (const [path, info] of reader.components) {
    const code = codes.get(info.classname);
    if (code !== undefined) components.push({ info, code });
    else {
      const cure = `name a function or a module that does in ${place('components', info.classname)} of createRouter or sharedRouter`;
      reader.warnings.push(`${path}: nothing runs ${shown(info.classname)}: ${cure}`);
    }
  }
  for (const warning of reader.warnings) warn(warning);
  return components;
}

class Reader {
  readonly components: [path: string, info: ComponentInfo][] = [];
  readonly warnings: string[] = [];
  readonly #problems: string[] = [];
  /** name -> names of its roles; empty where any realm comes into being */
  readonly #realms = new Map<unknown, unknown[]>();

  constructor(config: Configuration | null) {
    const places: [path: string, place: Configuration][] = [];
    for (const [index, worker] of (config?.workers ?? []).entries()) {
      if (worker.type === 'router') places.push([`workers[${index}].`, worker]);
    }
    if (places.length === 0) places.push(['', config ?? {}]);
    else if (isGiven(config?.components)) {
      this.#problems.push('components: expected "components" inside a worker, found it beside "workers"');
    }
    for (const [, { realms }] of places) {
      for (const { name, roles } of realms ?? []) {
        this.#realms.set(
          name,
          roles.map((role) => role.name),
        );
      }
    }
    for (const [path, { components }] of places) this.#readAll(`${path}components`, components ?? []);
    if (this.#problems.length > 0) throw new Error(this.#problems.join('\n'));
  }

  #readAll(path: string, list: unknown): void {
    if (!Array.isArray(list)) this.#problem(path, 'an array of components', list);
    else for (const [index, component] of list.entries()) this.#read(`${path}[${index}]`, component);
  }

  #read(path: string, component: unknown): void {
    if (shown(component) !== 'an object') {
      this.#problem(path, 'an object', component);
      return;
    }
    const { type, classname, realm, role, id, extra, restart, references, ...others } = component as Entry;
    if (type === 'function') {
      this.warnings.push(`${path}: is not started: only components of type "class" are`);
      return;
    }
    for (const key of Object.keys(others)) this.#problem(`${path}.${key}`, `one of the keys ${listed(KEYS)}`, key);
    for (const [key, value] of Object.entries({ restart, references })) {
      if (isGiven(value)) this.warnings.push(`${path}.${key}: has no effect: components are no processes here`);
    }
    if (type !== 'class') this.#problem(`${path}.type`, '"class"', type);
    if (typeof classname !== 'string') this.#problem(`${path}.classname`, 'the name of a class', classname);
    if (isGiven(id) && typeof id !== 'string') this.#problem(`${path}.id`, 'a text', id);
    const authrole = role ?? 'anonymous';
    const isAnyRealm = this.#realms.size === 0;
    const roles = isAnyRealm && typeof realm === 'string' ? ['anonymous'] : this.#realms.get(realm);
    if (roles === undefined) {
      const known = isAnyRealm ? 'the name of a realm' : `a realm of this router (${listed([...this.#realms.keys()])})`;
      this.#problem(`${path}.realm`, known, realm);
    } else if (!roles.includes(authrole)) {
      this.#problem(`${path}.role`, `a role of realm ${shown(realm)} (${listed(roles)})`, authrole);
    }
    const info = { classname, realm, role: authrole, id: id ?? undefined, extra: extra ?? null } as ComponentInfo;
    this.components.push([path, info]);
  }

  #problem(path: string, expected: string, found: unknown): void {
    this.#problems.push(`${path}: expected ${expected}, found ${shown(found)}`);
  }
}

/** Starts components, each once; answers how to end them. What one does wrong is logged, and no matter to the others. */
export function startComponents(host: Host, components: Component[]): () => void {
  const ends = components.map((component) => start(host, component));
  return () => {
    for (const end of ends) end();
  };
}

function start(host: Host, { info, code }: Component): () => void {
  const { port1, port2 } = new MessageChannel();
  const { classname, realm, role, id } = info;
  const identity: Identity = { realm, authid: id ?? classname, authrole: role, authmethod: 'component' };
  const port = host.attach(port1, { identity });
  let isOver = false;
  let stop: unknown;
  const fail = (error: unknown) => {
    host.log('error', `the component ${shown(classname)} failed: ${sentence(error)}`);
    port.drop({ code: 1001, reason: 'the component failed', wasClean: true });
  };
  const end = () => {
    isOver = true;
    try {
      if (typeof stop === 'function') stop();
    } catch (error) {
      fail(error);
    }
  };
  const run = async () => {
    const factory = typeof code === 'function' ? code : await loadCode<ComponentFactory>(code);
    if (!isOver) stop = await factory(port2, info);
    // The router was closed meanwhile.
    if (isOver) end();
  };
  run().catch((error) => {
    // A component that was still starting has lost its router.
    if (!isOver) fail(error);
  });
  return end;
}

/** As for the core, `null` is the same as nothing. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
