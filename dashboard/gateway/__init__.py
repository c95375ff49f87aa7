"""What a request passes on its way to the app: ASGI middleware that knows nothing of photos and results.

One module each: `telemetry` names, counts and logs requests, `headers` adds what browsers must know, `failures`
answers what nobody foresaw, `proxies` reads what a proxy says, `hosts` and `origins` say who may ask, `bodies` reads no
more and no longer than it should. `protocol` is uvicorn's, with a limit to how long a client may take to ask.
"""
