from twisted.internet.defer import inlineCallbacks
from autobahn.twisted.wamp import ApplicationSession

class MySessionMonitor(ApplicationSession):

   @inlineCallbacks
   def onJoin(self, details):

      ## session metaevents: these are fired by Crossbar.io
      ## upon _other_ WAMP sessions joining/leaving the router
      ##
      @inlineCallbacks
      def on_session_join(details):
         print("on_session_join: {}".format(details))

      yield self.subscribe(on_session_join, 'wamp.metaevent.session.on_join')


      @inlineCallbacks
      def on_session_leave(details):
         print("on_session_leave: {}".format(details))

      yield self.subscribe(on_session_leave, 'wamp.metaevent.session.on_leave')
