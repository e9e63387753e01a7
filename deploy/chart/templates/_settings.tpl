{{/* The settings' name ends in their hash, so that a change of them starts new pods, and a roll-back finds those of before. */}}
{{- define "settings.name" -}}
pinpoint-import-role-controller-settings-{{ toYaml .Values.settings | sha256sum | trunc 10 }}
{{- end }}
