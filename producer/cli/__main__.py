"""`python -m producer.cli`, where the script `launchyard` is not on the path."""

from producer.cli import main

main(prog_name="launchyard")
