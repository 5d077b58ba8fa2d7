"""Makes some traffic, which the router counts: a dozen acknowledged publications, and as many calls."""

import argparse

import txaio

txaio.use_twisted()

from autobahn.twisted.util import sleep
from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.serializer import MsgPackSerializer
from autobahn.wamp.types import PublishOptions


class ClientSession(ApplicationSession):
    async def onJoin(self, details):
        print("session {} joined".format(details.session), flush=True)
        await self.register(lambda a, b: a + b, "com.example.add")
        for number in range(12):
            await self.publish("com.example.tick", number, options=PublishOptions(acknowledge=True))
            await self.call("com.example.add", number, 1)
            await sleep(0.05)
        print("12 events published, 12 calls made", flush=True)
        self.leave()

    def onDisconnect(self):
        from twisted.internet import reactor

        if reactor.running:
            reactor.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="rs://127.0.0.1:8080")
    parser.add_argument("--realm", default="realm1")
    args = parser.parse_args()
    ApplicationRunner(url=args.url, realm=args.realm, serializers=[MsgPackSerializer()]).run(ClientSession)
