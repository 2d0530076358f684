{{/* What the level `restricted` of Pod Security asks of a pod; `user` is the number of the image's own. */}}
{{- define "launchyard.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "launchyard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where a process of Launchyard keeps what it keeps, and which broker it speaks to as whom: (dict "root" . "user" NAME) */}}
{{- define "launchyard.env" -}}
- {name: HOME, value: /var/lib/launchyard}
- {name: LAUNCHYARD_HOME, value: /var/lib/launchyard}
# For clusters that give pods users of their own choice, whom the image does not know.
- {name: USER, value: launchyard}
- name: LAUNCHYARD_BROKER_URL
  valueFrom: {secretKeyRef: {name: {{ include "launchyard.brokerSecret" .root }}, key: {{ include "launchyard.brokerKey" . }}}}
{{- with .root.Values.broker.ca }}
{{- if or .configMap .secret }}
- {name: LAUNCHYARD_BROKER_CA, value: /etc/launchyard/broker/{{ .key }}}
{{- end }}
{{- end }}
{{- range $name, $value := .root.Values.settings }}
- {name: {{ printf "LAUNCHYARD_%s" (upper $name) }}, value: {{ include "launchyard.plain" $value | quote }}}
{{- end }}
{{- end }}

{{/* The keys by which a run is known to be meant. */}}
{{- define "launchyard.signingKeys" -}}
{{- with .Values.signingKeys }}
{{- if .existingSecret }}
- name: LAUNCHYARD_SIGNING_KEYS
  valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .key }}}}
{{- end }}
{{- end }}
{{- end }}

{{/* Helm reads every number as one with a fraction, and would write 1073741824 as 1.073741824e+09. */}}
{{- define "launchyard.plain" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "launchyard.volumeMounts" -}}
- {name: home, mountPath: /var/lib/launchyard}
- {name: tmp, mountPath: /tmp}
{{- if or .Values.broker.ca.configMap .Values.broker.ca.secret }}
- {name: broker-ca, mountPath: /etc/launchyard/broker, readOnly: true}
{{- end }}
{{- end }}

{{- define "launchyard.brokerCa" -}}
{{- with .Values.broker.ca }}
{{- if .configMap }}
- name: broker-ca
  configMap: {name: {{ .configMap }}}
{{- else if .secret }}
- name: broker-ca
  secret: {secretName: {{ .secret }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Where pods go, of a block of values. */}}
{{- define "launchyard.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
