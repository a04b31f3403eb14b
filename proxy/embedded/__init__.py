"""The embedded engine: an HTTP/1.1 data plane in Python, on uvloop.

engine      Engine: apply a snapshot, serve, drain, stats
listener    https: handshakes; certificates re-reads its files
client      one client connection: heads and bodies, in order; holds stops reading where somebody cannot keep up
exchange    one request in flight: decide, send, relay, finish; tries asks upstreams, places bounds how many at once
fast        a whole request with a whole answer, which most are; anything else grows into an exchange
ways        what requests with one host, method and path come to, remembered
upstream    one upstream connection; connector opens them, endpoints chooses and ejects
request, response, grammar, body, headers    pure: what HTTP/1.1 messages are
health      checks whether endpoints are up, where an upstream asks for it
forwarding, replies                          pure: the heads the engine writes
outbox      small messages go out together; retry, mirror, timeouts, stats, access_log, options, tls
"""

from proxy.embedded.certificates import Certificates
from proxy.embedded.engine import Engine
from proxy.embedded.options import EngineOptions

__all__ = ["Certificates", "Engine", "EngineOptions"]
