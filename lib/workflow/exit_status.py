"""What run_all.sh ends with: of one run, and so of each member of a sweep."""

DONE = 0
FAILED = 1  # a notebook, or a run of a sweep
REFUSED = 2  # what was asked for can not be done
BUSY = 3  # another process works on the run
NOT_EXPORTED = 4  # for it is worse than its base: a verdict, not a failure
INTERRUPTED = 130  # by Ctrl-C, as a shell has it
UNREAD = 141  # what a shell gives for a command that a closed pipe killed
