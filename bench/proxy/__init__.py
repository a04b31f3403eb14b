"""A worker of Coalmine beside nginx, HAProxy, Envoy and Caddy, core for core: see ``bench.proxy.__main__``."""
