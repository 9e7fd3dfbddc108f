"""The same with FastAPI and httpx: three calls at the same time, one object."""

import asyncio
import os

import httpx
from fastapi import FastAPI, HTTPException, Response

UPSTREAM = os.environ["UPSTREAM"]
app = FastAPI()
client = httpx.AsyncClient(timeout=2.0, limits=httpx.Limits(max_connections=256, max_keepalive_connections=256))


async def fetch(name: str, id: str):
    try:
        answer = await client.get(f"{UPSTREAM}/{name}/{id}")
        answer.raise_for_status()
        return answer.json()
    except (httpx.HTTPError, ValueError):
        return None


@app.get("/data/screen/{id}")
async def screen(id: str, response: Response):
    profile, orders, offers = await asyncio.gather(fetch("profile", id), fetch("orders", id), fetch("offers", id))
    if profile is None:
        raise HTTPException(502)
    response.headers["x-aggregation-complete"] = "true" if orders is not None and offers is not None else "false"
    return {"profile": profile, "orders": orders, "offers": offers}
