module launchyard.test/kaniko

go 1.26.0

// The last release of the first project; the fork that goes on from it is no module under a path of its own.
require github.com/GoogleContainerTools/kaniko v1.24.0
