{{/* Names are cut so that a pod's is a host name in full: agents are called by it. */}}
{{- define "launchyard.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 32 | trimSuffix "-" -}}
{{- end }}

{{/* Of what belongs to one set of agents: (dict "root" . "set" NAME) */}}
{{- define "launchyard.setname" -}}
{{- printf "%s-%s" (include "launchyard.fullname" .root) .set | trunc 46 | trimSuffix "-" -}}
{{- end }}

{{/* What selects pods: (dict "root" . "component" NAME) */}}
{{- define "launchyard.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ quote .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .set }}
launchyard.dev/agents: {{ quote . }}
{{- end }}
{{- end }}

{{- define "launchyard.labels" -}}
{{ include "launchyard.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: launchyard
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* (dict "image" BLOCK "tag" DEFAULT) */}}
{{- define "launchyard.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .tag .image.tag }}
{{- end }}
{{- end }}

{{/* Where the broker's address is. */}}
{{- define "launchyard.brokerSecret" -}}
{{- if .Values.valkey.enabled -}}
{{ default (printf "%s-broker" (include "launchyard.fullname" .)) .Values.valkey.existingSecret }}
{{- else -}}
{{ default (printf "%s-broker" (include "launchyard.fullname" .)) .Values.broker.existingSecret }}
{{- end }}
{{- end }}
