{{/* What an agent does for runs: the table of docs/how-to/kubernetes-queue.md. */}}
{{- define "launchyard.runRules" -}}
{{- range .kinds }}
- {apiGroups: [{{ .apiGroup | quote }}], resources: [{{ .resource }}], verbs: [get, list, watch, create, patch, delete]}
{{- end }}
- {apiGroups: [""], resources: [pods], verbs: [get, list, watch, deletecollection]}
- {apiGroups: [""], resources: [pods/log], verbs: [get]}
- {apiGroups: [""], resources: [configmaps], verbs: [get, list, create, delete]}
- {apiGroups: [""], resources: [secrets], verbs: [create]}
- {apiGroups: [""], resources: [events], verbs: [list]}
{{- if .kueue }}
- {apiGroups: [kueue.x-k8s.io], resources: [workloads], verbs: [list]}
{{- end }}
{{- end }}

{{/* What it does for images: the Role of docs/how-to/kaniko.md. */}}
{{- define "launchyard.buildRules" -}}
- {apiGroups: [batch], resources: [jobs], verbs: [create, get, patch, delete]}
- {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [pods/log], verbs: [get]}
- {apiGroups: [""], resources: [configmaps, secrets], verbs: [create, get]}
- {apiGroups: [""], resources: [events], verbs: [list]}
{{- end }}
