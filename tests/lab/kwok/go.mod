// What tests/lab/kwok.sh builds: KWOK, as the Go module proxy has it.
module launchyard.test/kwok

go 1.26

require sigs.k8s.io/kwok v0.8.0
