#!/bin/sh
#SBATCH --job-name=mien --array=0-99 --cpus-per-task=4 --mem=8G --time=24:00:00 --requeue
# sbatch slurm.sh: a job split over a hundred tasks, each of which does every hundredth part of the same manifest. A task
# that is killed or requeued goes on with what is owed. Exit status 1 says that inputs failed, each with its row.
srun mien predict photos --out faces --format parquet --resume --workers "$SLURM_CPUS_PER_TASK" \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" || test $? -eq 1
