"""Prints the session events of a realm, statistics among them.

The node starts it in a container (see .crossbar/config.json). It also runs by itself:

    python3 monitor.py [--url rs://127.0.0.1:8080] [--realm realm1]
"""

import argparse
from pprint import pformat

import txaio

txaio.use_twisted()

from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.serializer import MsgPackSerializer


class ClientSession(ApplicationSession):
    async def onJoin(self, details):
        def on_session_join(session_details):
            self.log.info(
                ">>>>>> MONITOR : session joined\n{session_details}\n", session_details=pformat(session_details)
            )

        await self.subscribe(on_session_join, "wamp.session.on_join")

        def on_session_stats(session_details, stats):
            self.log.info(
                ">>>>>> MONITOR : session stats\n{session_details}\n{stats}\n",
                session_details=pformat(session_details),
                stats=pformat(stats),
            )

        await self.subscribe(on_session_stats, "wamp.session.on_stats")

        def on_session_leave(session_id):
            self.log.info(">>>>>> MONITOR : session {session_id} left", session_id=session_id)

        await self.subscribe(on_session_leave, "wamp.session.on_leave")
        self.log.info(">>>>>> MONITOR : ready, session {session_id}", session_id=details.session)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="rs://127.0.0.1:8080")
    parser.add_argument("--realm", default="realm1")
    args = parser.parse_args()
    txaio.start_logging(level="info")
    runner = ApplicationRunner(url=args.url, realm=args.realm, serializers=[MsgPackSerializer()])
    runner.run(ClientSession, auto_reconnect=True)
