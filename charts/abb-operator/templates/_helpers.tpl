{{/* Name of the chart's objects: the release's name where that says what it is. Short enough for any suffix below. */}}
{{- define "abb-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Name of a cluster-scoped object: a namespace has no dot, so no two releases share one. Takes root and suffix. */}}
{{- define "abb-operator.clusterName" -}}
{{- printf "%s%s.%s" (include "abb-operator.fullname" .root) (.suffix | default "") .root.Release.Namespace -}}
{{- end -}}

{{/* What the Deployment selects by: never changes in the life of a release. */}}
{{- define "abb-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What everything else selects the operator's Pods by: the Pod of `helm test` is none of them. */}}
{{- define "abb-operator.podSelectorLabels" -}}
{{ include "abb-operator.selectorLabels" . }}
app.kubernetes.io/component: controller
{{- end -}}

{{/* Labels of an object. Takes root, component, and extra, a map of labels. */}}
{{- define "abb-operator.labels" -}}
{{- $root := .root -}}
{{- $own := include "abb-operator.selectorLabels" $root | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "abb-operator" -}}
{{- $_ := set $own "app.kubernetes.io/version" $root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- with .component }}{{ $_ := set $own "app.kubernetes.io/component" . }}{{ end -}}
{{- mergeOverwrite (dict) ($root.Values.commonLabels | default dict) (.extra | default dict) $own | toYaml -}}
{{- end -}}

{{/* Labels of the operator's Pods, without the chart's version: a new chart alone restarts nothing. */}}
{{- define "abb-operator.podLabels" -}}
{{- $own := include "abb-operator.podSelectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "abb-operator" -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- mergeOverwrite (dict) (.Values.commonLabels | default dict) (.Values.podLabels | default dict) $own | toYaml -}}
{{- end -}}

{{- define "abb-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "abb-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The subjects of every binding. */}}
{{- define "abb-operator.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "abb-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- define "abb-operator.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The namespaces that are watched, as JSON; `[]` is all of them. */}}
{{- define "abb-operator.watched" -}}
{{- if .Values.clusterWide.enabled -}}
[]
{{- else -}}
{{- .Values.watchNamespaces | default (list .Release.Namespace) | uniq | toJson -}}
{{- end -}}
{{- end -}}

{{/* The Service that is there for the metrics or for `helm test`. */}}
{{- define "abb-operator.serviceName" -}}
{{ include "abb-operator.fullname" . }}-metrics
{{- end -}}

{{- define "abb-operator.hasService" -}}
{{- if or .Values.metrics.service.enabled .Values.metrics.serviceMonitor.enabled -}}true{{- end -}}
{{- end -}}

