{{- /* A node: called with the chart's context, the node's image, resources, queues and
seccomp profile. */ -}}
{{- define "errand.node" -}}
terminationGracePeriodSeconds: 20
automountServiceAccountToken: false
# The pod's own process takes away what a browser's processes leave.
shareProcessNamespace: true
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  fsGroup: 10001
  seccompProfile: {{- toYaml .seccomp | nindent 4 }}
# Rather on several machines than on one.
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {app.kubernetes.io/instance: {{ .root.Release.Name | quote }}, errand/class: {{ .class }}}}
containers:
  - name: errand
    image: {{ required "image.repository: name the image that you have built" .image.repository }}:{{ .image.tag }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    ports: [{name: http, containerPort: 8420}]
    env:
      - {name: ERRAND_STORE, valueFrom: {secretKeyRef: {name: {{ .root.Values.secret }}, key: store}}}
      - {name: ERRAND_ADMIN_KEY, valueFrom: {secretKeyRef: {name: {{ .root.Values.secret }}, key: admin-key}}}
      - {name: ERRAND_LOG_FORMAT, value: json}
      {{- with .queues }}
      - {name: ERRAND_QUEUES, value: {{ . | quote }}}
      {{- end }}
      {{- range $name, $value := .root.Values.env }}
      - {name: {{ $name }}, value: {{ $value | quote }}}
      {{- end }}
      {{- with .root.Values.envFrom }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    # What routes requests here hears a moment later than the node that it is to end.
    lifecycle: {preStop: {exec: {command: [sleep, "3"]}}}
    # A node that the others take for dead is not ready, and lives on: it comes back by
    # itself, and a restart would only cut what it is doing.
    readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 2, failureThreshold: 2}
    # Up to an hour: the first node of a version may have an index to make.
    startupProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 2, failureThreshold: 1800}
    livenessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 10, failureThreshold: 6}
    resources: {{- toYaml .resources | nindent 6 }}
    volumeMounts:
      - {name: data, mountPath: /var/lib/errand}
      - {name: temporary, mountPath: /tmp}
      - {name: seal-key, mountPath: /etc/errand, readOnly: true}
volumes:
  - {name: data, emptyDir: {}}
  - {name: temporary, emptyDir: {}}
  - name: seal-key
    secret:
      secretName: {{ .root.Values.secret }}
      items: [{key: seal-key, path: seal_key}]
{{- end -}}
