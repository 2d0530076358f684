"""The agent: a Celery worker that takes runs from queues and carries them out at targets.

The modules in the order in which a run meets them, and what each prevents:

    gate        no order is fetched while `max_jobs` runs are live        an agent that takes more than it may
    claim       queued -> claimed, in one step on the record              a run that two agents carry out
    prepare     source -> code -> image or environment                    a retry that runs other code than before
    building    one build of the same content, over all agents            a build done twice
    submit      the request, under the run's own name                     a job submitted twice
    watch       one stream a target for all runs                          an end that nobody sees, a call per run
    collect     output -> the run's log                                   a log that is gone with its container
    finish      the end: record, result, release                          an end told twice, or to one side only

and beside them

    session     the lease on the agent's name                             two agents under one name
    wishes      cancel, while a run is anywhere above                     a cancel that is not heard
    takeover    runs of agents that are gone                              a job that nobody follows
    sweep       what is left at targets                                   an object that nobody removes
    held        times, other runs, patience: before an order is sent     a run that starts too early, or waits for ever
    deadlines   limits on start and run time                          a job that hangs for ever
    quarantine  counts the agents that died with a run                a run that ends every agent
    reconcile   lost orders are sent again                                a run that waits for ever

`course` leads a run through the stages, `verdict` says what the end of an attempt means, `agent` puts the parts
together, `celery` is the Celery app, and `requests` and `steps` tie them to Celery's worker.
"""
