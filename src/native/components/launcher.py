"""Runs one Autobahn|Python session class as a component of a wamplet node.

The router pipes this file into an interpreter. The rest of standard input is one line of settings and then nothing:
its end means that the router is gone, and ends this process. What can be said in one line is reported through
standard error behind a marker that only the router knows; it becomes the line of this component in the router's log.
The marker alone says that the component is ready: onJoin has come to an end.

Needs nothing but the standard library until the class of the component has been imported.
"""

import contextlib
import importlib
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import traceback

# What the router called this file when it compiled it.
LAUNCHER = sys._getframe().f_code.co_filename

# EX_CONFIG of sysexits.h: as long as nobody changes something, every start will fail.
HOPELESS = 78

# Seconds between asking the process to end and ending it, when the router is gone.
GRACE = 5.0

# Seconds between attempts to reach a router that does not listen yet: the first pause, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0

# Reasons with which a session ends as it should.
NORMAL_REASONS = ("wamp.close.normal", "wamp.close.goodbye_and_out")
SHUTDOWN = "wamp.close.system_shutdown"

SERIALIZERS = {
    "msgpack": ("MsgPackSerializer", "msgpack"),
    "cbor": ("CBORSerializer", "cbor2"),
    "json": ("JsonSerializer", "json"),
}


# What brings the modules that this file or Autobahn may miss.
PACKAGES = {
    "autobahn": "autobahn[twisted]",
    "twisted": "autobahn[twisted]",
    "OpenSSL": "twisted[tls]",
    "service_identity": "twisted[tls]",
}


# A certificate in a file that may hold several, keys, and text.
CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Failure(Exception):
    """Ends the process with a line for the router's log."""

    def __init__(self, text, code=1):
        super().__init__(text)
        self.code = code


def hopeless(text):
    return Failure(text, HOPELESS)


def one_line(text):
    return " ".join(str(text).split())


def describe(error):
    """An exception as one line."""
    # Autobahn's ApplicationError shows all that it holds where a sentence would do.
    is_autobahn = type(error).__module__.startswith("autobahn.") and hasattr(error, "error_message")
    text = one_line(error.error_message() if is_autobahn else error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def print_own_traceback(error):
    """The traceback of an exception without the frames of this file and of the import system."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in (
        LAUNCHER,
        importlib.__file__,
        "<frozen importlib._bootstrap>",
    ):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)


def end_with_the_router(stdin, path):
    """Waits for the end of standard input in a thread; then ends this process and what it started."""

    def watch():
        while os.read(stdin, 4096):
            pass
        # A router that was killed could not take its socket away.
        if path is not None:
            with contextlib.suppress(OSError):
                os.unlink(path)
                os.rmdir(os.path.dirname(path))
        leads = os.getpgrp() == os.getpid()
        send = (lambda number: os.killpg(0, number)) if leads else (lambda number: os.kill(os.getpid(), number))
        send(signal.SIGTERM)
        time.sleep(GRACE)
        send(signal.SIGKILL)

    threading.Thread(target=watch, name="end-with-the-router", daemon=True).start()


def load(classname, pythonpath):
    """Imports the class of the component."""
    module_name, _, name = classname.rpartition(".")
    if not module_name:
        raise hopeless(f'expected a class as "module.Class", found "{classname}"')
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name == missing or module_name.startswith(missing + "."):
            searched = ", ".join(pythonpath) or "no directory (there is no pythonpath)"
            raise hopeless(f'found no module "{missing}" for {classname}; pythonpath is {searched}') from None
        if missing in PACKAGES:
            raise missing_module(missing) from None
        print_own_traceback(error)
        raise hopeless(f'cannot import "{module_name}": {describe(error)}') from None
    except SyntaxError as error:
        print_own_traceback(error)
        raise hopeless(f'cannot import "{module_name}": {describe(error)}') from None
    except Exception as error:
        print_own_traceback(error)
        raise Failure(f'cannot import "{module_name}": {describe(error)}') from None
    found = getattr(module, name, None)
    if found is None:
        raise hopeless(f'"{module_name}" ({module.__file__}) has no class "{name}"{did_you_mean(name, module)}')
    return found


def did_you_mean(name, module):
    import difflib

    classes = [key for key, value in vars(module).items() if isinstance(value, type)]
    close = difflib.get_close_matches(name, classes, n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def missing_module(module):
    package = PACKAGES.get(module, module)
    return hopeless(f"{sys.executable} has no module \"{module}\"; run: {sys.executable} -m pip install '{package}'")


def framework_of(found, classname):
    """The event loop that the class was written for."""
    expected = "a subclass of ApplicationSession of autobahn.twisted.wamp or autobahn.asyncio.wamp"
    for module, framework in (("autobahn.twisted.wamp", Twisted), ("autobahn.asyncio.wamp", Asyncio)):
        wamp = sys.modules.get(module)
        bases = tuple(
            base for base in (getattr(wamp, "ApplicationSession", None), getattr(wamp, "Session", None)) if base
        )
        if isinstance(found, type) and bases and issubclass(found, bases):
            return framework
    raise hopeless(f"expected {classname} to be {expected}")


def serializer_for(wanted):
    """The first of these serializers whose library is installed."""
    from autobahn.wamp import serializer

    for name in wanted:
        made = getattr(serializer, SERIALIZERS[name][0], None)
        if made is not None:
            return made()
    raise missing_module(SERIALIZERS[wanted[0]][1])


def connect_inside(settings):
    """To the router that started this process: the ticket first, then RawSocket."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(settings["path"])
        connection.sendall(settings["ticket"].encode("ascii"))
    except OSError as error:
        raise Failure(f"cannot reach the router at {settings['path']}: {describe(error)}") from None
    return connection


def connect_transport(settings):
    """To any router, as soon as it listens."""
    endpoint = settings["endpoint"]
    name = endpoint["path"] if endpoint["type"] == "unix" else f"{host_of(endpoint)}:{endpoint['port']}"
    pause, is_told = FIRST_PAUSE, False
    while True:
        try:
            return connect_endpoint(endpoint)
        except OSError as error:
            if not is_told:
                print(f"waits for a router at {name}: {describe(error)}")
                is_told = True
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def host_of(endpoint):
    return endpoint.get("host", "127.0.0.1")


def connect_endpoint(endpoint):
    """One attempt, at each address of the host; each may take as long as the endpoint says."""
    if endpoint["type"] == "unix":
        addresses = [(socket.AF_UNIX, endpoint["path"])]
    else:
        family = {4: socket.AF_INET, 6: socket.AF_INET6}.get(endpoint.get("version"), socket.AF_UNSPEC)
        found = socket.getaddrinfo(host_of(endpoint), int(endpoint["port"]), family, socket.SOCK_STREAM)
        addresses = [(family, address) for family, _, _, _, address in found]
    for family, address in addresses:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            # 0 is no timeout.
            connection.settimeout(endpoint.get("timeout") or None)
            connection.connect(address)
            connection.settimeout(None)
            if family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure


class Twisted:
    """The reactor of Twisted."""

    def __init__(self):
        from autobahn.twisted import rawsocket, websocket
        from twisted.internet import error, reactor
        from twisted.logger import LogLevel, eventAsText, globalLogBeginner

        self.reactor = reactor
        self.not_running = error.ReactorNotRunning
        self.rawsocket = rawsocket.WampRawSocketClientFactory
        self.websocket = websocket.WampWebSocketClientFactory
        self.lost = "connectionLost"
        self.is_over = False
        reactor.addSystemEventTrigger("after", "shutdown", self.on_shutdown)

        def observe(event):
            level = event.get("log_level", LogLevel.info)
            # When all is over, the reactor has nothing to tell but that.
            if level < LogLevel.info or (self.is_over and level == LogLevel.info):
                return
            text = eventAsText(event, includeTimestamp=False, includeSystem=False)
            print(text, file=sys.stdout if level == LogLevel.info else sys.stderr)

        globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False)

    def run(self, component, factory, connection, tls):
        if tls is not None:
            from twisted.protocols.tls import TLSMemoryBIOFactory

            factory = TLSMemoryBIOFactory(tls["context"], True, factory)
        factory.noisy = False
        connection.setblocking(False)
        self.reactor.adoptStreamConnection(connection.fileno(), connection.family, factory)
        connection.close()
        self.reactor.addSystemEventTrigger("before", "shutdown", component.leave)
        self.reactor.run()

    def on_shutdown(self):
        self.is_over = True

    def context_of(self, tls):
        from OpenSSL import crypto
        from twisted.internet import ssl

        def certificates(key, path):
            with using(key, path):
                pems = CERTIFICATE.findall(read(path))
                if not pems:
                    raise ValueError("there is no certificate in it")
                return [ssl.Certificate.loadPEM(pem) for pem in pems]

        trusted = [found for path in tls["ca_certificates"] for found in certificates("ca_certificates", path)]
        trusted = ssl.trustRootFromCertificates(trusted) if trusted else None
        if tls["certificate"] is None:
            return ssl.optionsForClientTLS(tls["hostname"], trusted)
        own, *chain = certificates("certificate", tls["certificate"])
        with using("key", tls["key"]):
            # Nobody is there who could be asked for a passphrase.
            key = crypto.load_privatekey(crypto.FILETYPE_PEM, read(tls["key"]), lambda *_: b"")
            own = {"privateKey": key, "certificate": own.original, "extraCertChain": [one.original for one in chain]}
            # Tells now, and not when it is used, that they do not belong together.
            ssl.CertificateOptions(**own).getContext()
        return ssl.optionsForClientTLS(tls["hostname"], trusted, extraCertificateOptions=own)

    def stop(self):
        # A signal, or the component itself, may have stopped it: it says to be running until it is down.
        with contextlib.suppress(self.not_running):
            self.reactor.stop()

    def call_later(self, seconds, function):
        self.reactor.callLater(seconds, function)


class Asyncio:
    """A loop of asyncio."""

    def __init__(self):
        import asyncio
        import logging

        import txaio
        from autobahn.asyncio import rawsocket, websocket

        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        txaio.config.loop = self.loop
        self.rawsocket = rawsocket.WampRawSocketClientFactory
        self.websocket = websocket.WampWebSocketClientFactory
        self.lost = "connection_lost"

        class Output(logging.Handler):
            def emit(self, record):
                print(self.format(record), file=sys.stdout if record.levelno <= logging.INFO else sys.stderr)

        root = logging.getLogger()
        if not root.handlers:
            root.addHandler(Output())
            root.setLevel(logging.INFO)

    def context_of(self, tls):
        import ssl

        # It checks certificates and names.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for path in tls["ca_certificates"]:
            with using("ca_certificates", path):
                context.load_verify_locations(path)
        if not tls["ca_certificates"]:
            context.load_default_certs()
        if tls["certificate"] is not None:
            with using("certificate", tls["certificate"]):
                read(tls["certificate"])
            with using("key", tls["key"]):
                # Nobody is there who could be asked for a passphrase.
                context.load_cert_chain(tls["certificate"], tls["key"], password="")
        return context

    def run(self, component, factory, connection, tls):
        connection.setblocking(False)
        self.loop.add_signal_handler(signal.SIGTERM, self.on_term, component)
        context, hostname = (tls["context"], tls["hostname"]) if tls is not None else (None, None)

        async def connect():
            try:
                await self.loop.create_connection(factory, sock=connection, ssl=context, server_hostname=hostname)
            except Exception as error:
                component.failure = f"cannot connect: {describe(error)}"
                self.stop()

        # Held, because the loop holds its tasks only weakly.
        self.connecting = self.loop.create_task(connect())
        self.loop.run_forever()

    def on_term(self, component):
        if component.leave() is None:
            self.stop()

    def stop(self):
        self.loop.stop()

    def call_later(self, seconds, function):
        self.loop.call_later(seconds, function)


class Component:
    """A session and how it ended."""

    def __init__(self, found, settings, framework):
        from autobahn.wamp.types import ComponentConfig

        self.framework = framework
        self.is_inside = settings["connection"]["kind"] == "inside"
        self.is_joined = self.is_asked = self.is_stopped = self.is_over = False
        self.is_connected = False
        self.reason = self.failure = self.lost = None
        try:
            self.session = found(ComponentConfig(realm=settings["realm"], extra=settings["extra"]))
        except Exception as error:
            print_own_traceback(error)
            raise Failure(f"the constructor raised {describe(error)}") from None
        self.before("onConnect", self.on_connect)
        self.watch("onConnect")
        self.watch("onJoin", lambda: print(settings["marker"], file=sys.stderr))
        self.before("onLeave", self.on_leave)
        self.before("leave", self.on_ask)
        self.before("disconnect", self.on_ask)

    def before(self, name, handle):
        """Has `handle` called before the method `name` of the session."""
        method = getattr(self.session, name)

        def wrapped(*args, **kwargs):
            handle(*args, **kwargs)
            return method(*args, **kwargs)

        setattr(self.session, name, wrapped)

    def watch(self, name, on_success=lambda: None):
        """What the method `name` of the session raises ends the component: half of it is not left running."""
        import txaio

        method = getattr(self.session, name)

        def on_error(failure):
            if not (self.is_stopped or self.is_over or self.reason):
                print(txaio.failure_format_traceback(failure), file=sys.stderr)
                self.failure = f"{name} raised {describe(failure.value)}"
                if self.session.is_attached():
                    self.session.leave()
                    self.framework.call_later(GRACE, self.session.disconnect)
                else:
                    self.session.disconnect()

        def on_result(result):
            on_success()
            return result

        def wrapped(*args, **kwargs):
            # One that never fails, so that Autobahn does not log the same traceback again.
            handled = txaio.create_future()
            txaio.add_callbacks(
                txaio.as_future(method, *args, **kwargs),
                lambda result: txaio.resolve(handled, on_result(result)),
                lambda failure: txaio.resolve(handled, on_error(failure)),
            )
            return handled

        setattr(self.session, name, wrapped)

    def on_connect(self):
        self.is_connected = True

    def on_leave(self, details):
        self.reason = self.reason or (details.reason, details.message)

    def on_ask(self, *_args, **_kwargs):
        # After the session has been left, the session's own onLeave disconnects.
        self.is_asked = self.is_asked or self.reason is None

    def leave(self):
        """The process was asked to end. Answers what to wait for, or None where there is no session to leave."""
        if self.is_over:
            return None
        self.is_stopped = True
        if not self.session.is_connected():
            return None
        if self.session.is_attached():
            return self.session.leave()
        self.session.disconnect()
        return None

    def on_lost(self, reason):
        """The connection is lost; the session has been told."""
        if not self.is_over:
            self.is_over = True
            self.lost = reason
            # What onLeave and onDisconnect began is given one more turn.
            self.framework.call_later(0, self.framework.stop)

    def factory(self, settings):
        """Makes the protocol that carries the session."""
        serializer = serializer_for(settings["serializers"])
        if settings["kind"] == "websocket":
            url = settings["url"]
            try:
                factory = self.framework.websocket(lambda: self.session, url=url, serializers=[serializer])
            except Exception as error:
                raise hopeless(f'cannot use the url "{url}": {describe(error)}') from None
        else:
            factory = self.framework.rawsocket(lambda: self.session, serializer=serializer)
        lost, component = self.framework.lost, self

        def on_lost(protocol, reason):
            try:
                getattr(super(watched, protocol), lost)(reason)
            finally:
                # A WebSocket knows best. Elsewhere it is an exception, or Twisted's Failure that holds one.
                handshake = getattr(protocol, "wasNotCleanReason", None)
                error = getattr(reason, "value", reason)
                component.on_lost(one_line(handshake) if handshake else error and describe(error))

        watched = type("ComponentProtocol", (factory.protocol,), {lost: on_lost})
        factory.protocol = watched
        return factory

    def outcome(self):
        """Raises what the process ends with, unless it ended as it should."""
        if self.failure:
            raise Failure(self.failure)
        if self.is_stopped or self.is_asked:
            return
        reason, message = self.reason or (None, None)
        if reason in NORMAL_REASONS or (self.is_inside and reason == SHUTDOWN):
            return
        if reason is None or reason == "wamp.close.transport_lost":
            if self.lost and not self.is_connected:
                raise Failure(f"cannot connect: {self.lost}")
            raise Failure("the connection to the router was lost")
        raise Failure(f"the router ended the session: {reason}" + (f" ({one_line(message)})" if message else ""))


def tls_of(settings):
    """Host name and files of certificates, where the connection is encrypted."""
    endpoint = settings.get("endpoint") or {}
    tls = endpoint.get("tls")
    if tls is None and not (settings.get("url") or "").startswith(("wss:", "rss:")):
        return None
    tls = tls if isinstance(tls, dict) else {}
    return {
        "hostname": tls.get("hostname") or endpoint.get("host", "localhost"),
        "ca_certificates": tls.get("ca_certificates") or [],
        "certificate": tls.get("certificate"),
        "key": tls.get("key") or tls.get("certificate"),
    }


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


@contextlib.contextmanager
def using(key, path):
    """What goes wrong with a file is told with its name."""
    try:
        yield
    except Exception as error:
        reason = error.strerror if type(error).__module__ == "builtins" and isinstance(error, OSError) else None
        raise hopeless(f'cannot use {path}, which "{key}" of "tls" names: {reason or describe(error)}') from None


def run(settings):
    sys.path[:] = settings["pythonpath"] + [path for path in sys.path if path]
    sys.argv[:] = [settings["classname"]]
    # First of all: a component without Autobahn is told so, not that its own module cannot be imported.
    try:
        importlib.import_module("autobahn")
    except ModuleNotFoundError as error:
        raise missing_module(error.name or "autobahn") from None
    found = load(settings["classname"], settings["pythonpath"])
    framework = framework_of(found, settings["classname"])()
    component = Component(found, settings, framework)
    connection = settings["connection"]
    factory = component.factory(connection)
    connect = connect_inside if component.is_inside else connect_transport
    tls = tls_of(connection)
    try:
        if tls is not None:
            tls["context"] = framework.context_of(tls)
        framework.run(component, factory, connect(connection), tls)
    except ModuleNotFoundError as error:
        raise missing_module(error.name) from None
    component.outcome()


def main():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    settings = json.loads(sys.stdin.buffer.readline())
    # The class may start processes and read its standard input: the router's pipe is neither's business.
    stdin = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    end_with_the_router(stdin, settings["connection"].get("path"))
    try:
        run(settings)
    except Failure as failure:
        print(settings["marker"], failure, file=sys.stderr)
        sys.stdout.flush()
        # A thread of the component must not keep a process that has failed.
        os._exit(failure.code)


main()
