"""How anything of ours speaks to a Kubernetes cluster: the target whose jobs are objects there, and builders.

Objects are JSON data as the API server sends them: models of the client would know only its own kinds, and take ten
times the memory.
"""
