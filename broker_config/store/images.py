"""The record of what was built: the newest uses of each, and which of it an operator wants to be removed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from broker_config.connection import TextClient, translated
from broker_config.errors import InvalidRequest, NotFound
from broker_config.images import Image
from broker_config.runs import now
from broker_config.store.keys import Keys
from broker_config.store.orphans import Removal

KEPT = timedelta(days=180)
"""How long an image that nobody uses stays on record; the image itself stays until it is pruned."""

MOST = 5000
"""Images on record. When there are more, the longest unused ones are dropped."""


class ImageStore:
    """Images by their id, and when each was last used."""

    def __init__(self, client: TextClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def record(self, image: Image) -> None:
        """Write what was built just now."""
        with translated(), self._client.pipeline() as pipe:
            pipe.hset(self._keys.images, image.id, image.model_dump_json())
            pipe.zadd(self._keys.images_used, {image.id: image.last_used.timestamp()})
            pipe.execute()

    def touch(self, image_id: str) -> None:
        """Somebody uses it; one that is not on record does not get there by that."""
        with translated(), self._client.pipeline() as pipe:
            pipe.zadd(self._keys.images_used, {image_id: now().timestamp()}, xx=True)
            pipe.execute()

    def all(self) -> list[Image]:
        """All of them, the last used first."""
        with translated(), self._client.pipeline() as pipe:
            pipe.hgetall(self._keys.images)
            pipe.zrevrange(self._keys.images_used, 0, -1, withscores=True)
            stored, used = pipe.execute()
        return [
            Image.model_validate_json(stored[image_id]).model_copy(
                update={"last_used": datetime.fromtimestamp(seconds, UTC)}
            )
            for image_id, seconds in used
            if image_id in stored
        ]

    def find(self, word: str) -> Image:
        """The image whose key begins with `word`, or whose reference it is.

        Raises:
            NotFound: when there is none on record.
            InvalidRequest: when there are several.
        """
        found = [
            image
            for image in self.all()
            if image.key.removeprefix("sha256:").startswith(word.removeprefix("sha256:")) or image.reference == word
        ]
        if not found:
            raise NotFound(f"no image on record is {word!r}, or has a key that begins so; see launchyard images")
        if len(found) > 1:
            places = ", ".join(f"{image.key[:12]} ({image.place})" for image in found)
            raise InvalidRequest(f"{len(found)} images are meant by {word!r}: {places}; give more of the key")
        return found[0]

    def forget(self, image_ids: list[str]) -> None:
        """Drop them from the record."""
        if image_ids:
            with translated(), self._client.pipeline() as pipe:
                pipe.hdel(self._keys.images, *image_ids)
                pipe.zrem(self._keys.images_used, *image_ids)
                pipe.execute()

    def forget_unused(self) -> None:
        """Drop from the record what nobody has used for long, and what is more than fits."""
        until = (now() - KEPT).timestamp()
        with translated():
            old = self._client.zrangebyscore(self._keys.images_used, "-inf", until, start=0, num=1000)
            more = self._client.zrange(self._keys.images_used, 0, -MOST - 1)
        self.forget([*{*old, *more}])

    def request_removal(self, image_id: str, by: str) -> None:
        """Wish that an agent which reaches the image removes it."""
        self._write(image_id, Removal(by=by, at=now()))

    def conclude_removal(self, image_id: str, wish: Removal, agent: str, outcome: str) -> None:
        """Say what became of a wish."""
        self._write(image_id, wish.model_copy(update={"at": now(), "agent": agent, "outcome": outcome}))

    def removals(self) -> Mapping[str, Removal]:
        """All wishes by the image's id, also those that were carried out not long ago."""
        with translated():
            stored = self._client.hgetall(self._keys.image_removals)
        return {image_id: Removal.model_validate_json(text) for image_id, text in sorted(stored.items())}

    def forget_removal(self, image_id: str) -> None:
        """Drop a wish and its outcome."""
        with translated():
            self._client.hdel(self._keys.image_removals, image_id)

    def _write(self, image_id: str, removal: Removal) -> None:
        with translated():
            self._client.hset(self._keys.image_removals, image_id, removal.model_dump_json())
