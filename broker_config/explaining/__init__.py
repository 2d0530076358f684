"""Why a run, a queue or an agent is as it is: pure, from what was read of the store, as a tree of reasons."""
