"""Every key that the store uses, in one place: the table for ACL rules and for people with `redis-cli`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of keys under one prefix. The messages' own lists belong to kombu and are named in `priorities`."""

    prefix: str

    def queue(self, name: str) -> str:
        """Hash: a queue's record."""
        return f"{self.prefix}queue:{name}"

    def queue_counts(self, name: str) -> str:
        """Hash: how many runs of the queue are in each state. Ended ones count for ever."""
        return f"{self.prefix}queue:{name}:counts"

    def queue_waiting(self, name: str) -> str:
        """Sorted set: queued runs that have an order, as they leave: by priority, then by the time of their enqueue."""
        return f"{self.prefix}queue:{name}:waiting"

    def queue_revisions(self, name: str) -> str:
        """Stream: the newest revisions of the queue's definition. An entry's id is the revision's number."""
        return f"{self.prefix}queue:{name}:revisions"

    def queue_authors(self, name: str) -> str:
        """Hash: how many runs of the queue each author has, as `queued AUTHOR` and `live AUTHOR`; none is left out."""
        return f"{self.prefix}queue:{name}:authors"

    def queue_held(self, name: str, author: str) -> str:
        """Sorted set: an author's queued runs that are held until the author may run one more, as they will leave."""
        return f"{self.prefix}queue:{name}:held:{author}"

    @property
    def newest_revisions(self) -> str:
        """Hash: the newest revision of every queue, by name. Deleted queues keep theirs."""
        return f"{self.prefix}queues:revisions"

    @property
    def queues(self) -> str:
        """Set: names of all queues."""
        return f"{self.prefix}queues"

    def run(self, run_id: str) -> str:
        """Hash: what changes of a run. Every value is short, so that Redis keeps it as a listpack."""
        return f"{self.prefix}run:{run_id}"

    def run_spec(self, run_id: str) -> str:
        """String: what never changes of a run, as JSON."""
        return f"{self.prefix}run:{run_id}:spec"

    def run_events(self, run_id: str) -> str:
        """Stream: one entry a change."""
        return f"{self.prefix}run:{run_id}:events"

    def run_logs(self, run_id: str) -> str:
        """Stream: batches of log lines, with the position at the target from which to go on."""
        return f"{self.prefix}run:{run_id}:logs"

    def run_dependents(self, run_id: str) -> str:
        """Set: the runs that wait for this one."""
        return f"{self.prefix}run:{run_id}:dependents"

    def of_run(self, run_id: str) -> list[str]:
        """All keys of one run."""
        return [
            self.run(run_id),
            self.run_spec(run_id),
            self.run_events(run_id),
            self.run_logs(run_id),
            self.run_dependents(run_id),
        ]

    @property
    def users(self) -> str:
        """Hash: each user, by name."""
        return f"{self.prefix}accounts:users"

    @property
    def teams(self) -> str:
        """Hash: each team with its members, by name."""
        return f"{self.prefix}accounts:teams"

    @property
    def service_accounts(self) -> str:
        """Hash: each service account, by full name."""
        return f"{self.prefix}accounts:services"

    @property
    def api_keys(self) -> str:
        """Hash: what is known of each API key, by id; no key is in it."""
        return f"{self.prefix}accounts:keys"

    @property
    def api_keys_used(self) -> str:
        """Sorted set: API keys, by the minute of their last use."""
        return f"{self.prefix}accounts:keys:used"

    def session(self, digest: str) -> str:
        """String with an expiry: whose session at the page a text stands for, by the text's digest."""
        return f"{self.prefix}accounts:session:{digest}"

    def sign_in_link(self, digest: str) -> str:
        """String with an expiry: whose session a link begins, by the digest of its text."""
        return f"{self.prefix}accounts:link:{digest}"

    @property
    def audit(self) -> str:
        """Stream: what somebody changed through the server, and when."""
        return f"{self.prefix}audit"

    @property
    def alarms(self) -> str:
        """Sorted set: queued runs that somebody has to look at, by when, in milliseconds since 1970."""
        return f"{self.prefix}alarms"

    @property
    def runs(self) -> str:
        """Sorted set: all runs by the time of their enqueue."""
        return f"{self.prefix}runs"

    @property
    def ended(self) -> str:
        """Sorted set: ended runs by the time of their end, for retention."""
        return f"{self.prefix}ended"

    @property
    def history(self) -> str:
        """Hash: where finished runs are written before they leave the broker, and how that goes."""
        return f"{self.prefix}history"

    @property
    def history_lease(self) -> str:
        """String with an expiry: the agent that writes to the history now."""
        return f"{self.prefix}history:lease"

    def idempotency(self, queue: str, key: str) -> str:
        """String: the run that a producer's idempotency key stands for, and the digest of its launch."""
        return f"{self.prefix}idempotency:{queue}:{key}"

    @property
    def wishes(self) -> str:
        """Stream: run ids whose record has a new wish; agents listen to it."""
        return f"{self.prefix}wishes"

    @property
    def agents(self) -> str:
        """Hash: what each agent says of itself, as JSON."""
        return f"{self.prefix}agents"

    @property
    def agent_wishes(self) -> str:
        """Hash: what an operator wishes of each agent, as JSON."""
        return f"{self.prefix}agents:wishes"

    @property
    def orphans(self) -> str:
        """Hash: the objects at targets that belong to no run, as each agent sees them, as JSON."""
        return f"{self.prefix}orphans"

    @property
    def orphan_removals(self) -> str:
        """Hash: which of them an operator wants to be removed, and what became of it, as JSON."""
        return f"{self.prefix}orphans:removals"

    def agent_lease(self, name: str) -> str:
        """String with an expiry: the session that an agent's name belongs to."""
        return f"{self.prefix}agent:{name}:lease"

    def agent_runs(self, name: str) -> str:
        """Set: the live runs that an agent holds."""
        return f"{self.prefix}agent:{name}:runs"

    def build(self, key: str) -> str:
        """Hash with an expiry: who builds what a key names, or why that failed."""
        return f"{self.prefix}build:{key}"

    def build_log(self, key: str) -> str:
        """Stream with an expiry: what the builds of a key print, for those who wait for them."""
        return f"{self.prefix}build:{key}:log"

    @property
    def images(self) -> str:
        """Hash: what was built, by its id, as JSON."""
        return f"{self.prefix}images"

    @property
    def images_used(self) -> str:
        """Sorted set: the same by the time of the last use, in seconds since 1970."""
        return f"{self.prefix}images:used"

    @property
    def image_removals(self) -> str:
        """Hash: which of them an operator wants to be removed, and what became of it, as JSON."""
        return f"{self.prefix}images:removals"

    def platform(self, place: str) -> str:
        """Hash with an expiry: when the agents that ask one place of a platform may do so again."""
        return f"{self.prefix}platform:{place}"

    def platform_hints(self, place: str) -> str:
        """Stream with an expiry: jobs at the place of which an agent, or the platform, said something new."""
        return f"{self.prefix}platform:{place}:hints"

    @property
    def fences(self) -> str:
        """Number: the fence of the newest agent session."""
        return f"{self.prefix}fences"

    @property
    def jobs(self) -> str:
        """Set: all named jobs, each with its entity."""
        return f"{self.prefix}jobs"

    def job(self, entity: str, name: str) -> str:
        """Hash: the versions of a named job by their number, and the digest of the newest."""
        return f"{self.prefix}job:{entity}/{name}"

    def job_aliases(self, entity: str, name: str) -> str:
        """Hash: the version that each alias of a named job points to."""
        return f"{self.prefix}job:{entity}/{name}:aliases"

    @property
    def archives(self) -> str:
        """Sorted set: digests of all code archives, by when one that nothing holds is dropped, in ms since 1970."""
        return f"{self.prefix}archives"

    @property
    def loose_locations(self) -> str:
        """Sorted set: locations of no archive, by when they are rubbish: uploads under way, and what is dropped."""
        return f"{self.prefix}archives:loose"

    @property
    def archive_sweep(self) -> str:
        """String with an expiry: an agent has swept the archives not long ago."""
        return f"{self.prefix}archives:sweep"

    def archive(self, digest: str) -> str:
        """Hash: the name of a code archive in each place that has it, its size, and when it was stored."""
        return f"{self.prefix}archive:{digest}"

    def archive_holders(self, digest: str) -> str:
        """Set: what needs an archive: runs that have not ended, and versions of named jobs."""
        return f"{self.prefix}archive:{digest}:holders"

    def code(self, name: str) -> str:
        """String: the bytes of an archive that is on the broker."""
        return f"{self.prefix}code:{name}"
