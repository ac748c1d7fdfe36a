"""Running a training, whatever the task: the loop, its settings and the run folder."""
