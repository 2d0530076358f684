{{/* All sets of agents as YAML, by name: each one's own block over what all have, its launch config as a mapping. */}}
{{- define "launchyard.sets" -}}
{{- $root := . -}}
{{- $single := default .Values.agentConfig .Values.launchConfig -}}
{{- $blocks := .Values.agents -}}
{{- if and $single $blocks -}}
{{- fail "launchConfig is for a single set of agents, and `agents` has sets of its own: write it as agents.NAME.launchConfig" -}}
{{- else if $single -}}
{{- $blocks = dict "agent" (dict "launchConfig" $single) -}}
{{- end -}}
{{- $sets := dict -}}
{{- range $name, $own := $blocks -}}
{{- $set := mergeOverwrite (deepCopy $root.Values.agent) (deepCopy (default dict $own)) -}}
{{- $_ := set $set "launchConfig" (include "launchyard.launchConfig" (dict "root" $root "name" $name "given" $set.launchConfig) | fromYaml) -}}
{{- if not $set.namespaces -}}
{{- $_ := set $set "namespaces" (concat (list $root.Release.Namespace) (default list $root.Values.additionalTargetNamespaces)) -}}
{{- end -}}
{{- $_ := set $set "namespaces" (uniq $set.namespaces) -}}
{{- if $root.Values.volcano -}}
{{- $_ := set $set.rbac "kinds" (append $set.rbac.kinds (dict "apiGroup" "batch.volcano.sh" "resource" "jobs") | uniq) -}}
{{- end -}}
{{- $_ := set $sets $name $set -}}
{{- end -}}
{{- toYaml $sets -}}
{{- end }}

{{/* One set's launch config as YAML, with what other values say of git, and where the chart's BuildKit is. */}}
{{- define "launchyard.launchConfig" -}}
{{- $config := .given -}}
{{- if kindIs "string" $config -}}
{{- $config = fromYaml $config -}}
{{- with $config.Error -}}
{{- fail (printf "agents.%s.launchConfig is no YAML: %s" $.name .) -}}
{{- end -}}
{{- end -}}
{{- if not $config -}}
{{- fail (printf "agents.%s has no launchConfig; write at least launchConfig: {queues: [QUEUE]}" .name) -}}
{{- end -}}
{{- $config = deepCopy $config -}}
{{- $git := default dict $config.git -}}
{{- if .root.Values.gitCreds -}}
{{- $git = merge $git (dict "credentials_file" "/etc/launchyard/git/.git-credentials") -}}
{{- end -}}
{{- with .root.Values.sshAuthSecrets -}}
{{- $credentials := default list $git.credentials -}}
{{- range . -}}
{{- $folder := printf "/etc/launchyard/ssh/%s" .name -}}
{{- $credentials = append $credentials (dict "host" .host "ssh_key_file" (printf "%s/ssh-privatekey" $folder) "known_hosts_file" (printf "%s/known_hosts" $folder)) -}}
{{- end -}}
{{- $_ := set $git "credentials" $credentials -}}
{{- end -}}
{{- if $git -}}
{{- $_ := set $config "git" $git -}}
{{- end -}}
{{- if and .root.Values.buildkit.enabled (include "launchyard.lacksDaemon" $config) -}}
{{- $address := printf "tcp://%s-buildkit.%s.svc:1234" (include "launchyard.fullname" .root) .root.Release.Namespace -}}
{{- $folder := "/etc/launchyard/buildkit" -}}
{{- $tls := dict "ca" (printf "%s/ca.crt" $folder) "cert" (printf "%s/tls.crt" $folder) "key" (printf "%s/tls.key" $folder) -}}
{{- $_ := set $config "builder" (merge $config.builder (dict "address" $address "tls" $tls)) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{/* Full names of a set's queues, a line each: "gpu" of the entity "team-a" is "team-a/gpu". */}}
{{- define "launchyard.queues" -}}
{{- $entity := default "default" .entity -}}
{{- range .queues }}
{{ if or (contains "/" .) (eq $entity "default") }}{{ trimPrefix "default/" . }}{{ else }}{{ $entity }}/{{ . }}{{ end }}
{{- end }}
{{- end }}

{{/* The namespace of a set's kaniko builds; nothing where none are made. (dict "root" . "set" BLOCK) */}}
{{- define "launchyard.buildNamespace" -}}
{{- $builder := default dict .set.launchConfig.builder -}}
{{- if eq (default "" $builder.type) "kaniko" -}}
{{- $part := default dict (coalesce (get $builder "kaniko-config") $builder.kaniko_config) -}}
{{- default (dig "metadata" "namespace" (first .set.namespaces) $part) $builder.namespace -}}
{{- end -}}
{{- end }}

{{/* Says something when a launch config builds with BuildKit, and does not say with which. */}}
{{- define "launchyard.lacksDaemon" -}}
{{- $builder := default dict .builder -}}
{{- if and (eq (default "" $builder.type) "buildkit") (not $builder.address) -}}yes{{- end -}}
{{- end }}

{{/* The account of a set. */}}
{{- define "launchyard.account" -}}
{{- default (include "launchyard.setname" (dict "root" .root "set" .name)) .set.serviceAccount.name -}}
{{- end }}

{{/* Says something when a set is scaled by KEDA. */}}
{{- define "launchyard.usesKeda" -}}
{{- range include "launchyard.sets" . | fromYaml }}{{ if .keda.enabled }}yes{{ end }}{{ end -}}
{{- end }}
