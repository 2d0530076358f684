"""Code runs on a docker queue although its agent builds nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from broker_config.images import ImageOrigin
from broker_config.queues import Queue
from broker_config.settings import Settings
from broker_config.states import State
from producer import Client
from tests.agents import AgentProcess
from tests.docker_engine import BASE_IMAGE, engine, remove_marks
from tests.workers.builders.wheels import write_wheel

QUEUE = "docker-queue"


def test_code_and_what_it_needs_come_into_the_queues_base_image(
    settings: Settings, home: Path, agent: Callable[..., AgentProcess]
) -> None:
    # Given
    engine()
    (settings.home / "launch-config.yaml").write_text("builder: {type: noop, base-image: never/used}\n")
    code = home / "code"
    write_wheel(code / "wheels", "probe", "1.0", "installed")
    (code / "requirements.txt").write_text("--no-index\n--find-links /job/wheels\nprobe\n")
    (code / "train.py").write_text("import probe; print('probe is', probe.VALUE)\n")
    client = Client(settings)
    client.queues.create(Queue(name=QUEUE, resource="docker", config={"builder": {"base_image": BASE_IMAGE}}))
    agent(QUEUE).start()
    # When
    handle = client.launch(queue=QUEUE, source=str(code), entry_point=["python", "train.py"])
    handle.wait(120)
    # Then
    run = client.run(handle.id).run
    remove_marks(run.object_name)
    lines = [*handle.logs()]
    assert run.state is State.SUCCEEDED, (run.text, lines)
    assert (run.image, run.image_origin) == (BASE_IMAGE, ImageOrigin.BASE)
    assert "probe is installed" in lines
