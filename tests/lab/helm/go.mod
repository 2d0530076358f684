// What tests/lab/helm.sh builds: Helm, as the Go module proxy has it.
module launchyard.test/helm

go 1.26

require helm.sh/helm/v4 v4.3.1
