"""What becomes of builds, whoever the builder is.

One at a time for the same content, ahead of a claim, into a registry, with a log and a record for people, and gone
again when nobody needs what was built.
"""
