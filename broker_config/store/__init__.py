"""The store: everything that Launchyard keeps on the broker, and the only code that knows its keys."""

from __future__ import annotations

from importlib.resources import files

from broker_config.connection import connect, connect_text, translated
from broker_config.settings import Settings
from broker_config.store.accounts import AccountStore
from broker_config.store.agents import AgentStore
from broker_config.store.alarms import Alarms
from broker_config.store.archives import Archives
from broker_config.store.audit import AuditTrail
from broker_config.store.builds import BuildStore
from broker_config.store.code import CodeStore
from broker_config.store.code_places import BrokerPlace, CodePlaces
from broker_config.store.feed import Feed
from broker_config.store.finished import Finished, Retention
from broker_config.store.images import ImageStore
from broker_config.store.jobs import JobStore
from broker_config.store.keys import Keys
from broker_config.store.logs import LogStore
from broker_config.store.lost import LostRuns
from broker_config.store.orphans import OrphanStore
from broker_config.store.platforms import PlatformStore
from broker_config.store.pulse import Pulse
from broker_config.store.queues import QueueStore
from broker_config.store.replication import Replication
from broker_config.store.runs import RunStore
from broker_config.store.sessions import SessionStore
from broker_config.store.vitals import VitalsReader

_SCRIPTS = (
    *("enqueue", "claim", "change", "prioritize", "fence", "lease", "log", "restore", "snooze", "forget"),
    *("job", "queue", "build", "archive_find", "archive_enter", "archive_drop"),
)


class Store:
    """One connection pool, and the parts of the store on it. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._client = connect_text(settings)
        self._binary_client = connect(settings, text=False)
        self._impatient_client = connect_text(settings, is_patient=False)
        keys = Keys(settings.key_prefix)
        scripts = {name: self._client.register_script(_script(name)) for name in _SCRIPTS}
        self.queues = QueueStore(self._client, keys, scripts["queue"], settings.author)
        replication = Replication(self._client, keys, settings.min_replicas)
        seconds = settings.retention_seconds
        self.runs = RunStore(self._client, keys, scripts, seconds, replication, keyring=settings.keyring)
        self.finished = Finished(self._client, keys, scripts, Retention(seconds, settings.retention_runs))
        self.accounts = AccountStore(self._client, keys)
        self.sessions = SessionStore(self._client, keys)
        self.audit = AuditTrail(self._client, keys)
        self.agents = AgentStore(self._client, keys, scripts)
        self.alarms = Alarms(self._client, keys, scripts)
        self.builds = BuildStore(self._client, keys, scripts["build"])
        self.images = ImageStore(self._client, keys)
        self.logs = LogStore(self._client, keys, scripts["log"])
        self.lost = LostRuns(self._client, keys, scripts["restore"], settings.retention_seconds)
        self.orphans = OrphanStore(self._client, keys)
        self.feed = Feed(self._client, keys)
        self.pulse = Pulse(self._client, keys)
        self.vitals = VitalsReader(self._client)
        self.platforms = PlatformStore(keys, self._impatient_client.register_script(_script("platform")))
        self.jobs = JobStore(self._client, keys, scripts["job"])
        self.archives = Archives(self._client, keys, scripts)
        self.code = CodeStore(self.archives, CodePlaces(BrokerPlace(self._binary_client, keys), settings))

    def eviction_policy(self) -> str:
        """What the broker does with keys when its memory is full; `noeviction` is the only one that loses no run."""
        with translated():
            return str(self._client.info("memory")["maxmemory_policy"])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._binary_client.close()
        self._impatient_client.close()


def _script(name: str) -> str:
    return (files(__package__) / "scripts" / f"{name}.lua").read_text(encoding="utf-8")
