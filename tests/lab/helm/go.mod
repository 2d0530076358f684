// What tests/lab/helm.sh builds: Helm and kustomize, as the Go module proxy has them.
module launchyard.test/helm

go 1.26

require (
	helm.sh/helm/v4 v4.3.1
	sigs.k8s.io/kustomize/kustomize/v5 v5.8.1
)
