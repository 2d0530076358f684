// What tests/lab/buildkit.sh builds: a BuildKit daemon, as the Go module proxy has it.
module launchyard.test/buildkit

go 1.26

require github.com/moby/buildkit v0.33.0
