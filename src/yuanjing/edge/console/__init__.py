"""`/api/…`: what the console uses, and whoever wants to do without it; in the console's dialect.

A customer is known by the cookie of a session, never by an API key; and no other path knows the cookie. Every route is
in one router, which refuses what another site's page may have sent before a route sees it.
"""

from fastapi import APIRouter, Depends

from yuanjing.edge.console import (
    balance,
    codes,
    entries,
    factors,
    keys,
    mobiles,
    models,
    profile,
    promotions,
    security,
    sessions,
    statements,
    tasks,
    topups,
    usage,
)
from yuanjing.edge.console.auth import refuse_forged

router = APIRouter(dependencies=[Depends(refuse_forged)])
for _module in (
    models,
    codes,
    sessions,
    factors,
    mobiles,
    profile,
    security,
    keys,
    balance,
    promotions,
    entries,
    statements,
    usage,
    tasks,
):
    router.include_router(_module.router)
topup_router = APIRouter(dependencies=[Depends(refuse_forged)])
"""Those that are there only where customers can pay in."""
topup_router.include_router(topups.router)

__all__ = ["router", "topup_router"]
