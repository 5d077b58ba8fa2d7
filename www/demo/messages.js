// WAMP messages for people: the names of their types and elements, and the part of each that tells most.

/** Type number to name and the names of the elements behind it, as in the specification. */
const types = new Map([
  [1, ['HELLO', 'Realm', 'Details']],
  [2, ['WELCOME', 'Session', 'Details']],
  [3, ['ABORT', 'Details', 'Reason']],
  [4, ['CHALLENGE', 'AuthMethod', 'Extra']],
  [5, ['AUTHENTICATE', 'Signature', 'Extra']],
  [6, ['GOODBYE', 'Details', 'Reason']],
  [8, ['ERROR', 'REQUEST.Type', 'REQUEST.Request', 'Details', 'Error', 'Arguments', 'ArgumentsKw']],
  [16, ['PUBLISH', 'Request', 'Options', 'Topic', 'Arguments', 'ArgumentsKw']],
  [17, ['PUBLISHED', 'PUBLISH.Request', 'Publication']],
  [32, ['SUBSCRIBE', 'Request', 'Options', 'Topic']],
  [33, ['SUBSCRIBED', 'SUBSCRIBE.Request', 'Subscription']],
  [34, ['UNSUBSCRIBE', 'Request', 'SUBSCRIBED.Subscription']],
  [35, ['UNSUBSCRIBED', 'UNSUBSCRIBE.Request', 'Details']],
  [36, ['EVENT', 'SUBSCRIBED.Subscription', 'PUBLISHED.Publication', 'Details', 'Arguments', 'ArgumentsKw']],
  [48, ['CALL', 'Request', 'Options', 'Procedure', 'Arguments', 'ArgumentsKw']],
  [49, ['CANCEL', 'CALL.Request', 'Options']],
  [50, ['RESULT', 'CALL.Request', 'Details', 'Arguments', 'ArgumentsKw']],
  [64, ['REGISTER', 'Request', 'Options', 'Procedure']],
  [65, ['REGISTERED', 'REGISTER.Request', 'Registration']],
  [66, ['UNREGISTER', 'Request', 'REGISTERED.Registration']],
  [67, ['UNREGISTERED', 'UNREGISTER.Request', 'Details']],
  [68, ['INVOCATION', 'Request', 'REGISTERED.Registration', 'Details', 'CALL.Arguments', 'CALL.ArgumentsKw']],
  [69, ['INTERRUPT', 'INVOCATION.Request', 'Options']],
  [70, ['YIELD', 'INVOCATION.Request', 'Options', 'Arguments', 'ArgumentsKw']],
]);

const typeName = (number) => types.get(number)?.[0] ?? `type ${number}`;

/** The elements of `message` with their names: `[['type', 36], ['SUBSCRIBED.Subscription', 7], ..]`. */
export function elementsOf(message) {
  const names = types.get(message[0]) ?? [];
  return message.map((element, index) => [index === 0 ? 'type' : (names[index] ?? `[${index}]`), element]);
}

/**
 * Follows the messages of one tab, so that an answer can be shown with the URI of its request. What it remembers goes
 * with the answer, and all of it with the session.
 */
export class Reader {
  /** Request id to URI, of requests that are not answered. Publications without acknowledge are not among them. */
  #requests = new Map();
  #subscriptions = new Map();
  #registrations = new Map();
  /** Invocation id to procedure, until our answer. */
  #invocations = new Map();

  /** `{ type, id, uri }`: the name of the type, the id that tells messages of a kind apart, and the URI behind it. */
  read(message) {
    const type = typeName(message[0]);
    return { type, ...this.#partsOf(type, message) };
  }

  #partsOf(type, message) {
    switch (type) {
      case 'HELLO':
        this.#forget();
        return { uri: message[1] };
      case 'WELCOME':
        return { id: message[1], uri: message[2]?.realm };
      case 'ABORT':
      case 'GOODBYE':
        return { uri: message[2] };
      case 'ERROR': {
        const known = typeName(message[1]) === 'INVOCATION' ? this.#invocations : this.#requests;
        const uri = take(known, message[2]);
        return { id: message[2], uri: message[4], about: uri };
      }
      case 'SUBSCRIBE':
      case 'REGISTER':
      case 'CALL':
        this.#requests.set(message[1], message[3]);
        return { id: message[1], uri: message[3] };
      case 'PUBLISH':
        if (message[2]?.acknowledge) this.#requests.set(message[1], message[3]);
        return { id: message[1], uri: message[3] };
      case 'SUBSCRIBED':
      case 'REGISTERED': {
        const uri = take(this.#requests, message[1]);
        (type === 'SUBSCRIBED' ? this.#subscriptions : this.#registrations).set(message[2], uri);
        return { id: message[2], uri };
      }
      case 'PUBLISHED':
        return { id: message[2], uri: take(this.#requests, message[1]) };
      case 'UNSUBSCRIBE':
        return { id: message[2], uri: take(this.#subscriptions, message[2]) };
      case 'UNREGISTER':
        return { id: message[2], uri: take(this.#registrations, message[2]) };
      case 'RESULT':
        // A progressive result is not the last one.
        if (message[2]?.progress) return { id: message[1], uri: this.#requests.get(message[1]) };
        return { id: message[1], uri: take(this.#requests, message[1]) };
      case 'EVENT':
        return { id: message[2], uri: message[3]?.topic ?? this.#subscriptions.get(message[1]) };
      case 'INVOCATION': {
        const uri = message[3]?.procedure ?? this.#registrations.get(message[2]);
        this.#invocations.set(message[1], uri);
        return { id: message[1], uri };
      }
      case 'YIELD':
        if (message[2]?.progress) return { id: message[1], uri: this.#invocations.get(message[1]) };
        return { id: message[1], uri: take(this.#invocations, message[1]) };
      default:
        return { id: message[1] };
    }
  }

  #forget() {
    for (const known of [this.#requests, this.#subscriptions, this.#registrations, this.#invocations]) known.clear();
  }
}

function take(map, key) {
  const value = map.get(key);
  map.delete(key);
  return value;
}
