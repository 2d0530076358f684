"""What `up` and `demo` start and stop: the embedded broker, one agent, the server and Flower."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from broker_config.embedded import EmbeddedBroker
from broker_config.errors import ConfigError
from broker_config.settings import Settings, environment_for
from broker_config.store import Store
from producer.cli import flower, page
from producer.cli.children import Child
from producer.cli.flower import Flower
from producer.cli.ports import free_from
from producer.cli.programs import AgentOptions, agent_arguments, flower_arguments, server_arguments

AGENT_START_TIMEOUT_SECONDS = 90.0

Show = Callable[[str, str], None]


class Yard:
    """Processes of one command. Leaving the block stops what was started in it, the last first, and nothing else."""

    def __init__(self, settings: Settings, tell: Show, show_output: Show | None = None) -> None:
        """`tell` gets what happens here; `show_output` gets what the processes print, None keeps that to itself."""
        self._settings = settings
        self._tell = tell
        self._show_output = show_output or (lambda _name, _line: None)
        self._stack = ExitStack()
        self._ends = threading.Condition()
        self._children: dict[str, Child] = {}
        self._on_end: dict[str, Callable[[], None] | None] = {}

    def __enter__(self) -> Yard:
        self._settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_broker(self) -> None:
        """Start the embedded broker, unless another one is configured or it runs already."""
        if self._settings.broker_url:
            return
        embedded = EmbeddedBroker(self._settings.home)
        started = embedded.ensure_running()
        self._tell("broker", f"embedded, {'started' if started else 'was running'} (pid {embedded.pid})")
        if started:
            self._stack.callback(self._stop_broker, embedded)

    def _stop_broker(self, embedded: EmbeddedBroker) -> None:
        embedded.stop()
        self._tell("broker", "stopped; its data is kept")

    def start_agent(self, name: str, queues: Sequence[str], max_jobs: int | None = None) -> Child:
        """Start an agent for these queues, whoever owns them."""
        options = AgentOptions(queues=queues, entity="", max_jobs=max_jobs, name=name)
        return self._start("agent", agent_arguments(options), {})

    def start_flower(self, port: int | None = None) -> Flower | None:
        """Start Flower, if it is installed."""
        if not flower.is_installed():
            self._tell("flower", flower.MISSING)
            return None
        prepared = flower.prepare(self._settings.home, port)
        self._start("flower", flower_arguments(prepared.port), prepared.environment)
        self._tell("flower", f"{prepared.url}  user {flower.USER}, password in {prepared.password_file}")
        return prepared

    def start_server(self, port: int | None = None, flower_url: str = "") -> str | None:
        """Start the server, if its packages are installed; its URL."""
        if not page.is_installed():
            self._tell("server", page.MISSING)
            return None
        port = port or free_from(page.DEFAULT_PORT)
        more = {"LAUNCHYARD_FLOWER_URL": flower_url} if flower_url else {}
        self._start("server", server_arguments("127.0.0.1", port), more)
        return f"http://127.0.0.1:{port}"

    def _start(self, name: str, arguments: list[str], secret: dict[str, str]) -> Child:
        child = Child(name, self._show_output, self._ended)
        child.start(arguments, environment_for(self._settings, **secret), self._settings.home)
        self._children[name] = child
        self._stack.callback(self._stop_child, child)
        return child

    def _stop_child(self, child: Child) -> None:
        if child.exit_code is None:
            child.stop()
            self._tell(child.name, "stopped")

    def _ended(self, name: str) -> None:
        with self._ends:
            self._ends.notify_all()
        if call := self._on_end.get(name):
            call()

    def on_end_of(self, name: str, call: Callable[[], None] | None) -> None:
        """Call this, from another thread, when that process ends by itself; None: nothing any more."""
        self._on_end[name] = call

    def check(self, name: str) -> None:
        """Whether a process that was started here still runs; one that was not is none of ours.

        Raises:
            ConfigError: when it has ended; with what it printed last.
        """
        child = self._children.get(name)
        if child and child.exit_code is not None:
            raise ConfigError(
                f"the {name} ended with code {child.exit_code}; it printed last:\n" + "\n".join(child.last_lines)
            )

    def wait_for_agent(self, store: Store, agent: Child) -> None:
        """Return when the agent has announced itself.

        Raises:
            ConfigError: when it ended instead, or says nothing in time; with what it printed last.
        """
        deadline = time.monotonic() + AGENT_START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            self.check(agent.name)
            if any(info.pid == agent.pid and alive for info, alive in store.agents.list()):
                return
            time.sleep(0.1)
        raise ConfigError("the agent does not answer; it printed last:\n" + "\n".join(agent.last_lines))

    def wait_for_end(self, stop: threading.Event) -> str | None:
        """Block until `stop` is set or the agent ends. Returns the name of the child that ended by itself."""
        reported: set[str] = set()
        while not stop.is_set():
            for child in self._children.values():
                if child.exit_code is None or child.name in reported:
                    continue
                if child.name == "agent":
                    return child.name
                reported.add(child.name)
                self._tell(child.name, f"ended with code {child.exit_code}; the agent goes on")
            with self._ends:
                self._ends.wait(0.5)
        return None
