"""Jobs of Launchyard on a Slurm cluster, through `sbatch`, `squeue`, `sacct` and `scancel`."""
