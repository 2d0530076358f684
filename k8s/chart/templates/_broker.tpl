{{/* Valkey's file of users, each with its password: (dict "root" . "passwords" (dict "launchyard" PASSWORD ...)) */}}
{{- define "launchyard.users" -}}
user default off
{{- /* Everything but what administers the server or destroys all of it. */}}
user launchyard on #{{ sha256sum .passwords.launchyard }} ~* &* +@all -@admin -@dangerous +info
{{- /* Roles: what `launchyard broker acl` prints, with marks for the digests. */}}
{{- $users := .root.Files.Get "users.acl" | trim }}
{{- range list "agent" "flower" "producer" "server" }}
{{- $users = $users | replace (printf "@%s@" .) (sha256sum (get $.passwords .)) }}
{{- end }}
{{ $users }}
{{- /* All that KEDA's scaler for Redis does is a script that asks for the type of one key, and for how many are in it. A
       script counts as a change of its keys, so a right to read them is not enough; these commands change nothing. */}}
user keda on #{{ sha256sum .passwords.keda }} resetkeys resetchannels ~{{ include "launchyard.keyPrefix" .root }}queue:*:waiting -@all
{{- range list "auth" "eval" "hello" "hlen" "llen" "ping" "scard" "select" "type" "zcard" }} +{{ . }}{{ end }}
{{- range .root.Values.valkey.users }}
user {{ . }}
{{- end }}
{{ end }}

{{/* The key of the broker's Secret with the URL of a user: (dict "root" . "user" NAME) */}}
{{- define "launchyard.brokerKey" -}}
{{- if and .root.Values.valkey.enabled (not .root.Values.valkey.existingSecret) -}}
{{ .user }}-url
{{- else -}}
{{ get .root.Values.broker.keys .user }}
{{- end }}
{{- end }}

{{- define "launchyard.keyPrefix" -}}
{{- default "launchyard:" .Values.settings.key_prefix -}}
{{- end }}

{{/* What values say in secret, for a checksum: what the chart makes up is not among it. (dict "root" . "set" BLOCK) */}}
{{- define "launchyard.givenSecrets" -}}
{{- with .root.Values }}{{ list .broker.url .gitCreds .additionalSecretEnvVars | toJson }}{{ end }}{{ .set.apiKey }}
{{- end }}
