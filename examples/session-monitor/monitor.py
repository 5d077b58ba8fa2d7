"""A component that the router starts itself: it prints who joins and who leaves the realm."""

from autobahn.twisted.wamp import ApplicationSession
from twisted.internet.defer import inlineCallbacks


class MySessionMonitor(ApplicationSession):
    @inlineCallbacks
    def onJoin(self, details):
        # The router publishes these when another session joins or leaves. Both carry the session's details.
        def on_session_join(details):
            print("on_session_join: {}".format(details))

        yield self.subscribe(on_session_join, "wamp.metaevent.session.on_join")

        def on_session_leave(details):
            print("on_session_leave: {}".format(details))

        yield self.subscribe(on_session_leave, "wamp.metaevent.session.on_leave")
        print("monitoring realm {}".format(details.realm))
