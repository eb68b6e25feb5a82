"""The exit statuses of run_all.sh, for one run and for each member of a sweep."""

DONE = 0
FAILED = 1  # a notebook, or a run of a sweep
REFUSED = 2  # the request cannot be carried out
BUSY = 3  # another process works on the run
NOT_EXPORTED = 4  # worse than its base: a verdict, not a failure
INTERRUPTED = 130  # by Ctrl-C, as in a shell
UNREAD = 141  # as a shell reports a command that a closed pipe killed
