"""Registries of images as both sides ask them: which image a name stands for, and with what login it is pulled.

Producers pin an image to its digest as they enqueue, so this is not the agent's alone. It is HTTP and docker's own
config: no cloud's SDK is needed for it.
"""
