"""Autobahn|Python sessions that do what another program tells them, a JSON object per line.

    python python_peer.py asyncio|twisted

Each line of standard input is a command, and each line of standard output an answer or the news of a peer, as
remote-peers.mjs has it; the methods of `Peer` named `do_*` are the commands. peers.mjs says what its procedures do.
"""

import base64
import json
import os
import sys

import txaio

FRAMEWORK = sys.argv[1]

if FRAMEWORK == "asyncio":
    import asyncio
    from asyncio import CancelledError

    txaio.use_asyncio()
    from autobahn.asyncio.rawsocket import WampRawSocketClientFactory
    from autobahn.asyncio.wamp import ApplicationSession
    from autobahn.asyncio.websocket import WampWebSocketClientFactory
else:
    txaio.use_twisted()
    from autobahn.twisted.rawsocket import WampRawSocketClientFactory
    from autobahn.twisted.wamp import ApplicationSession
    from autobahn.twisted.websocket import WampWebSocketClientFactory
    from twisted.internet import reactor, stdio
    from twisted.internet.defer import CancelledError, ensureDeferred
    from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
    from twisted.protocols.basic import LineReceiver

from autobahn.wamp import message
from autobahn.wamp.auth import create_authenticator
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.interfaces import IPayloadCodec
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import (
    CallOptions,
    CallResult,
    ComponentConfig,
    EncodedPayload,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)

EVENT_DETAILS = ("publisher", "publisher_authid", "publisher_authrole", "retained", "enc_algo")
SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}


def revive(value):
    """JSON to values, bytes included."""
    if isinstance(value, list):
        return [revive(element) for element in value]
    if isinstance(value, dict):
        if set(value) == {"$bytes"}:
            return base64.b64decode(value["$bytes"])
        return {key: revive(element) for key, element in value.items()}
    return value


def write_bytes(value):
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"no JSON for {type(value)}")


def tell(line):
    sys.stdout.write(json.dumps(line, default=write_bytes) + "\n")
    sys.stdout.flush()


def payload(args, kwargs):
    return {"args": list(args or ()), "kwargs": dict(kwargs or {})}


def outcome(result):
    """What a call answers, with the shape that it had on the wire."""
    if isinstance(result, CallResult):
        return payload(result.results, result.kwresults)
    return payload([] if result is None else [result], {})


def described(error):
    if isinstance(error, ApplicationError):
        return {"error": error.error, **payload(error.args, error.kwargs)}
    return {"error": f"python: {type(error).__name__}", **payload([str(error)], {})}


def authenticator(method, authid, secret):
    """What the library has for a method."""
    secrets = {"ticket": "ticket", "wampcra": "secret", "scram": "password", "cryptosign": "privkey"}
    return create_authenticator(method, authid=authid, **{secrets[method]: secret})


class Codec(IPayloadCodec):
    """Turns what is under com.example.secret into bytes that nobody else can read."""

    def encode(self, is_originating, uri, args=None, kwargs=None):
        if not uri.startswith("com.example.secret"):
            return None
        text = json.dumps([uri, args, kwargs]).encode()
        return EncodedPayload(text[::-1], "x_backwards", enc_serializer="json", enc_key="key1")

    def decode(self, is_originating, uri, encoded_payload):
        assert (encoded_payload.enc_algo, encoded_payload.enc_serializer) == ("x_backwards", "json")
        assert encoded_payload.enc_key == "key1"
        return json.loads(encoded_payload.payload[::-1])


class Peer(ApplicationSession):
    """One session and the commands that it takes."""

    def __init__(self, name, command):
        super().__init__(ComponentConfig(realm=command["realm"]))
        self.name = name
        self.joined = txaio.create_future()
        self.calls = {}
        self.held = {}
        self.waiting = []
        if command.get("encrypts"):
            self.set_payload_codec(Codec())
        self.login = command.get("login")
        self.authenticator = self.login and authenticator(
            self.login["method"], self.login["authid"], self.login["secret"]
        )

    def news(self, what, **fields):
        tell({"peer": self.name, "news": what, **fields})

    def onConnect(self):
        if self.login is None:
            super().onConnect()
        else:
            method, authid = self.login["method"], self.login["authid"]
            extra = self.authenticator.authextra
            self.join(self.config.realm, authmethods=[method], authid=authid, authextra=extra)

    def onChallenge(self, challenge):
        return self.authenticator.on_challenge(self, challenge)

    def onWelcome(self, welcome):
        # What it answers is why it does not trust the router.
        return self.authenticator and self.authenticator.on_welcome(self, welcome.authextra)

    def onJoin(self, details):
        txaio.resolve(
            self.joined,
            {
                "session": details.session,
                "realm": details.realm,
                "authid": details.authid,
                "authrole": details.authrole,
                "authmethod": details.authmethod,
                "authextra": details.authextra,
            },
        )

    def onLeave(self, details):
        self.news("closed", reason=details.reason, message=details.message)
        if not txaio.is_called(self.joined):
            txaio.reject(self.joined, ApplicationError(details.reason, details.message))
        self.disconnect()

    def onDisconnect(self):
        self.news("disconnected")

    def onUserError(self, fail, msg):
        if not isinstance(fail.value, (ApplicationError, CancelledError)):
            self.news("user error", text=f"{msg}: {fail.value!r}")

    async def do_call(self, command):
        options = dict(command["options"])
        progress = []
        if options.pop("progress", False):

            def on_progress(*args, **kwargs):
                progress.append(payload(args, kwargs))

            options["on_progress"] = on_progress
        args, kwargs = revive(command.get("args", [])), revive(command.get("kwargs", {}))
        result = await self.call(command["procedure"], *args, options=CallOptions(**options), **kwargs)
        return {**outcome(result), "progress": progress}

    async def do_start(self, command):
        """Calls, and answers a handle of the call instead of its result."""
        call = self.call(command["procedure"])
        request = max(self._call_reqs)
        self.calls[request] = call
        return request

    async def do_cancel(self, command):
        # The API has no word for the mode.
        self._transport.send(message.Cancel(command["call"], command["mode"]))

    async def do_result(self, command):
        return outcome(await self.calls.pop(command["call"]))

    async def do_register(self, command):
        procedure = command["procedure"]
        options = RegisterOptions(details_arg="details", **command["options"])
        registration = await self.register(getattr(self, command["behaviour"]), procedure, options=options)
        self.held[procedure] = registration
        return registration.id

    async def do_unregister(self, command):
        await self.held.pop(command["procedure"]).unregister()

    async def do_release(self, command):
        for future in self.waiting:
            if not txaio.is_called(future):
                txaio.resolve(future, "released")
        self.waiting.clear()

    async def do_subscribe(self, command):
        inbox = command["inbox"]

        def on_event(*args, details=None, **kwargs):
            told = {name: getattr(details, name) for name in EVENT_DETAILS}
            self.news("event", inbox=inbox, topic=details.topic, details=told, **payload(args, kwargs))

        options = SubscribeOptions(details_arg="details", **command["options"])
        self.held[inbox] = await self.subscribe(on_event, command["topic"], options=options)
        return self.held[inbox].id

    async def do_unsubscribe(self, command):
        await self.held.pop(command["inbox"]).unsubscribe()

    async def do_publish(self, command):
        args, kwargs = revive(command.get("args", [])), revive(command.get("kwargs", {}))
        options = PublishOptions(**command["options"])
        publication = self.publish(command["topic"], *args, options=options, **kwargs)
        return (await publication).id if options.acknowledge else None

    async def do_leave(self, command):
        self.leave()

    # What a registered procedure does.

    def echo(self, *args, details=None, **kwargs):
        return CallResult(*args, **kwargs)

    def fail(self, *args, details=None, **kwargs):
        raise ApplicationError("com.example.failed", *args, **kwargs)

    def throw(self, *args, details=None):
        raise RuntimeError("oops")

    def unavailable(self, *args, details=None):
        raise ApplicationError("wamp.error.unavailable")

    def who(self, details=None):
        return self._session_id

    def identify(self, details=None):
        names = ("procedure", "caller", "caller_authid", "caller_authrole")
        return {name: getattr(details, name) for name in names if getattr(details, name) is not None}

    async def authorize(self, session, uri, action, options, details=None):
        self.news(f"{action} {uri}")
        if uri.endswith("slow"):
            await txaio.sleep(0.1)
        return {"allow": uri.startswith("com.example.allowed")}

    def authenticate(self, realm, authid, about, details=None):
        if about["authmethod"] == "ticket" and about["ticket"] != "open sesame":
            raise ApplicationError("com.example.unknown", "who are you?")
        return {"role": "backend", "secret": "open sesame", "extra": {"level": 9}}

    def hold(self, details=None):
        self.news("called")
        self.waiting.append(txaio.create_future())
        return self.waiting[-1]

    def progress(self, steps, details=None):
        for step in range(steps):
            details.progress(step)
        return "done"

    async def wait(self, details=None):
        """Tells when it is called, and when it is interrupted, which it answers with an error of its own."""
        self.news("called")
        try:
            await txaio.create_future()
        except CancelledError:
            self.news("interrupted")
            raise ApplicationError("com.example.interrupted", "by you")


peers = {}


async def do_join(name, command):
    serializer = SERIALIZERS[command["serializer"].split(".")[0]](batched=command["serializer"].endswith(".batched"))
    peer = peers[name] = Peer(name, command)
    if command["transport"] == "websocket":
        factory = WampWebSocketClientFactory(lambda: peer, url=command["url"], serializers=[serializer])
    else:
        factory = WampRawSocketClientFactory(lambda: peer, serializer=serializer)
    await connect(factory, command)
    return await peer.joined


async def obey(line):
    command = json.loads(line)
    try:
        if command["do"] == "join":
            result = await do_join(command["peer"], command)
        else:
            result = await getattr(peers[command["peer"]], "do_" + command["do"])(command)
        tell({"id": command["id"], "ok": result})
    except BaseException as error:
        tell({"id": command["id"], "error": described(error)})


def main_asyncio():
    global connect

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    txaio.config.loop = loop

    async def connect(factory, command):
        if "path" in command:
            await loop.create_unix_connection(factory, command["path"])
        else:
            await loop.create_connection(factory, "127.0.0.1", command["port"])

    async def read():
        # A line carries whole messages, however large.
        reader = asyncio.StreamReader(limit=2**26)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        obeying = set()
        while line := await reader.readline():
            task = loop.create_task(obey(line))
            obeying.add(task)
            task.add_done_callback(obeying.discard)

    tell({"news": "ready"})
    loop.run_until_complete(read())


def main_twisted():
    global connect

    async def connect(factory, command):
        if "path" in command:
            endpoint = UNIXClientEndpoint(reactor, command["path"])
        else:
            endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", command["port"])
        await endpoint.connect(factory)

    class Commands(LineReceiver):
        delimiter = b"\n"
        MAX_LENGTH = 2**26

        def lineReceived(self, line):
            ensureDeferred(obey(line))

        def connectionLost(self, reason):
            reactor.stop()

    # For reading alone: Twisted would make the standard output non-blocking, which `tell` is not made for.
    stdio.StandardIO(Commands(), stdout=os.open(os.devnull, os.O_WRONLY))
    tell({"news": "ready"})
    reactor.run()


if FRAMEWORK == "asyncio":
    main_asyncio()
else:
    main_twisted()
