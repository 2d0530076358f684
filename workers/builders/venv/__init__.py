"""Builder `venv`: a Python environment on the agent's machine, made once for each content of the requirements."""

from workers.builders.venv.builder import VenvBuilder

__all__ = ["VenvBuilder"]
