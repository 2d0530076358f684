"""Agents, and what they have made or found: `/agents`, `/orphans`, `/images`."""

from __future__ import annotations

from fastapi import APIRouter

from broker_config.images import Image
from broker_config.store.orphans import Removal
from producer.server.asking import Asked
from producer.server.paging import Wanted
from producer.wire import AgentSeen, AgentWish, OrphansSeen, Page

router = APIRouter(tags=["agents"])


@router.get("/agents")
def list_agents(asked: Asked) -> list[AgentSeen]:
    """All agents, by name."""
    return [AgentSeen(info=info, is_alive=is_alive) for info, is_alive in asked.agents.list()]


@router.put("/agents/{name}/wish")
def wish_agent(asked: Asked, name: str, wish: AgentWish) -> AgentSeen:
    """Say what an agent is to do: serve, pause, or drain."""
    info, is_alive = asked.agents.wish(name, wish.mode, wish.reason)
    return AgentSeen(info=info, is_alive=is_alive)


@router.get("/orphans")
def list_orphans(asked: Asked) -> OrphansSeen:
    """Objects at the targets that belong to no run, as agents see them."""
    return OrphansSeen(orphans=asked.orphans.list(), removals=dict(asked.orphans.removals()))


@router.delete("/orphans/{name:path}", status_code=204)
def remove_orphan(asked: Asked, name: str) -> None:
    """Wish that every agent which reaches the object removes it."""
    asked.orphans.remove(name)


@router.get("/images")
def list_images(asked: Asked, part: Wanted) -> Page[Image]:
    """What was built and is on record, the last used first."""
    return part.of(asked.images.all(), lambda image: f"{image.last_used.isoformat()} {image.id}", from_last=True)


@router.get("/images/find")
def find_image(asked: Asked, word: str) -> Image:
    """The image whose key begins like that, or whose reference it is."""
    return asked.images.find(word)


@router.get("/images/removals")
def list_removals(asked: Asked) -> dict[str, Removal]:
    """Wishes to remove images, and what became of them."""
    return dict(asked.images.removals())


@router.delete("/images/{image_id:path}", status_code=204)
def remove_image(asked: Asked, image_id: str) -> None:
    """Wish that an agent which reaches the image removes it."""
    asked.images.remove(image_id)
