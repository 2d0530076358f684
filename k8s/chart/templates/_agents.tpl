{{/* What only agents are told by their environment: (dict "root" . "name" NAME "set" BLOCK) */}}
{{- define "launchyard.agentEnv" -}}
{{- $root := .root -}}
{{- with .set.startTimeout }}
- {name: LAUNCHYARD_START_TIMEOUT, value: {{ include "launchyard.plain" . | quote }}}
{{- end }}
{{- if .set.useExternalWandbSecret }}
- name: WANDB_API_KEY
  valueFrom: {secretKeyRef: {name: wandb-api-key-{{ $root.Release.Name }}, key: password}}
{{- else if .set.apiKey }}
- name: WANDB_API_KEY
  valueFrom: {secretKeyRef: {name: {{ include "launchyard.fullname" $root }}-agents, key: wandb-api-key-{{ .name }}}}
{{- end }}
{{- with $root.Values.baseUrl }}
- {name: WANDB_BASE_URL, value: {{ . | quote }}}
{{- end }}
{{- if $root.Values.customCABundle.configMap.name }}
{{- range list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" "AWS_CA_BUNDLE" "GIT_SSL_CAINFO" }}
- {name: {{ . }}, value: /etc/launchyard/authorities/custom-ca.crt}
{{- end }}
{{- end }}
{{- with $root.Values.kanikoPvcName }}
- {name: WANDB_LAUNCH_KANIKO_PVC_NAME, value: {{ quote . }}}
- {name: WANDB_LAUNCH_KANIKO_PVC_MOUNT_PATH, value: /var/lib/kaniko}
{{- end }}
{{- /* By W&B's annotations, builds are known to a cloud as well; an account is of one namespace. */}}
{{- if and $root.Values.serviceAccount.annotations (eq (include "launchyard.buildNamespace" .) $root.Release.Namespace) }}
- {name: WANDB_LAUNCH_SERVICE_ACCOUNT_NAME, value: {{ include "launchyard.account" . }}}
{{- end }}
{{- with $root.Values.kanikoDockerConfigSecret }}
- {name: WANDB_LAUNCH_KANIKO_AUTH_SECRET, value: {{ quote . }}}
{{- end }}
{{- with $root.Values.additionalEnvVars }}
{{ toYaml . }}
{{- end }}
{{- range $root.Values.additionalSecretEnvVars }}
- name: {{ .name }}
  valueFrom: {secretKeyRef: {name: {{ include "launchyard.fullname" $root }}-agents, key: {{ .name }}}}
{{- end }}
{{- with .set.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "launchyard.agentMounts" -}}
{{- if .Values.gitCreds }}
- {name: git, mountPath: /etc/launchyard/git, readOnly: true}
{{- end }}
{{- range .Values.sshAuthSecrets }}
- {name: ssh-{{ .name }}, mountPath: /etc/launchyard/ssh/{{ .name }}, readOnly: true}
{{- end }}
{{- if .Values.customCABundle.configMap.name }}
- {name: authorities, mountPath: /etc/launchyard/authorities, readOnly: true}
{{- end }}
{{- if .Values.kanikoPvcName }}
- {name: kaniko, mountPath: /var/lib/kaniko}
{{- end }}
{{- if .Values.buildkit.enabled }}
- {name: buildkit, mountPath: /etc/launchyard/buildkit, readOnly: true}
{{- end }}
{{- end }}

{{- define "launchyard.agentVolumes" -}}
{{- if .Values.gitCreds }}
- name: git
  secret: {secretName: {{ include "launchyard.fullname" . }}-agents, items: [{key: .git-credentials, path: .git-credentials}]}
{{- end }}
{{- range .Values.sshAuthSecrets }}
- name: ssh-{{ .name }}
  secret: {secretName: {{ .name }}, defaultMode: 0440}
{{- end }}
{{- with .Values.customCABundle.configMap }}
{{- if .name }}
- name: authorities
  configMap: {name: {{ .name }}, items: [{key: {{ .key }}, path: custom-ca.crt}]}
{{- end }}
{{- end }}
{{- with .Values.kanikoPvcName }}
- name: kaniko
  persistentVolumeClaim: {claimName: {{ . }}}
{{- end }}
{{- if .Values.buildkit.enabled }}
- name: buildkit
  secret: {secretName: {{ default (printf "%s-buildkit-agent" (include "launchyard.fullname" .)) .Values.buildkit.agentSecret }}, defaultMode: 0440}
{{- end }}
{{- end }}
