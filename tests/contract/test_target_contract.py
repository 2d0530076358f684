"""What every target promises, kept by each of ours."""

from __future__ import annotations

from tests.contract.targets import Docker, Kubernetes, LocalProcess, SageMaker, Stub, Vertex
from workers.targets.contract.suite import KeptNamesContract, TargetContract


class TestStub(TargetContract):
    case = Stub()


class TestLocalProcess(TargetContract):
    case = LocalProcess()


class TestDocker(TargetContract):
    case = Docker()


class TestKubernetes(TargetContract):
    case = Kubernetes()


class TestSageMaker(KeptNamesContract):
    case = SageMaker()


class TestVertex(TargetContract):
    case = Vertex()
