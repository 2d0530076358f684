{{/* Valkey's file of users: (dict "root" . "launchyard" PASSWORD "keda" PASSWORD) */}}
{{- define "launchyard.users" -}}
user default off
{{- /* Everything but what administers the server or destroys all of it. */}}
user launchyard on #{{ sha256sum .launchyard }} ~* &* +@all -@admin -@dangerous +info
{{- /* All that KEDA's scaler for Redis does is a script that asks for the type of one key, and for how many are in it. A
       script counts as a change of its keys, so a right to read them is not enough; these commands change nothing. */}}
user keda on #{{ sha256sum .keda }} resetkeys resetchannels ~{{ include "launchyard.keyPrefix" .root }}queue:*:waiting -@all
{{- range list "auth" "eval" "hello" "hlen" "llen" "ping" "scard" "select" "type" "zcard" }} +{{ . }}{{ end }}
{{- range .root.Values.valkey.users }}
user {{ . }}
{{- end }}
{{ end }}

{{- define "launchyard.keyPrefix" -}}
{{- default "launchyard:" .Values.settings.key_prefix -}}
{{- end }}

{{/* What values say in secret, for a checksum: what the chart makes up is not among it. (dict "root" . "set" BLOCK) */}}
{{- define "launchyard.givenSecrets" -}}
{{- with .root.Values }}{{ list .broker.url .gitCreds .additionalSecretEnvVars | toJson }}{{ end }}{{ .set.apiKey }}
{{- end }}
