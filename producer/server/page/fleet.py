"""Agents, and images with the builds that are under way."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from broker_config.frozen import parse
from broker_config.states import State
from producer.server.page.rendering import Form, Viewing, page
from producer.wire import AgentWish

router = APIRouter()

MOST_IMAGES = 200


@router.get("/agents")
def show_agents(request: Request, viewer: Viewing) -> Response:
    """All agents."""
    return page(request, viewer, "agents.html", agents=viewer.yard.agents.list())


@router.post("/agents/{name}/wish")
def wish(viewer: Viewing, name: str, form: Form) -> Response:
    """Have an agent serve, pause or drain."""
    wanted = parse(AgentWish, dict(form), "agent")
    viewer.yard.agents.wish(name, wanted.mode, wanted.reason)
    return RedirectResponse("/agents", 303)


@router.get("/images")
def show_images(request: Request, viewer: Viewing) -> Response:
    """What is being built, and what was."""
    images = viewer.yard.images.all()
    return page(
        request,
        viewer,
        "images.html",
        building=[run for run in viewer.yard.runs.live() if run.state is State.BUILDING],
        images=images[:MOST_IMAGES],
        total=len(images),
    )
