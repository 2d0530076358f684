"""Sources: from what a job names to code in a folder, or to an image that exists."""
