"""All HTTP but the hot path: small answers about models, prices, balances and health, and the API's description.

Chat itself is served below ASGI, in `gateway`; here it is only described, and answered where it is called wrongly.
"""
