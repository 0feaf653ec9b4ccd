"""Start the jobs of a workflow by forking one process that has imported what they need.

Imports take most of a short job's processor time. ``crosstalk run`` starts the process
(:mod:`~benchmark.commands.jobs.preloaded.starting`), which imports when the first job asks
(:mod:`~benchmark.commands.jobs.preloaded.server`). Each job's command
(:mod:`~benchmark.commands.jobs.preloaded.client`) hands itself over, waits, and ends as the forked
process did. Where that cannot be, or could make a difference, the job starts as it always did.
"""
