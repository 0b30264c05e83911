// Prints objects in JSON and as Kubernetes encodes them in protobuf: tests/api/data/protobuf_samples.json.
//
//	go run ./samples > ../../tests/api/data/protobuf_samples.json
package main

import (
	"bytes"
	"encoding/json"
	"os"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

var objects = []string{
	`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","labels":{"a":"b","empty":""},"creationTimestamp":"2026-01-02T03:04:05Z","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"r","uid":"u","controller":true,"blockOwnerDeletion":false}],"managedFields":[{"manager":"m","operation":"Update","apiVersion":"v1","time":"2026-01-02T03:04:05Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{".":{}}}}]},"spec":{"terminationGracePeriodSeconds":0,"hostNetwork":true,"automountServiceAccountToken":false,"tolerations":[{"key":"k","operator":"Exists","tolerationSeconds":-5}],"volumes":[{"name":"v","emptyDir":{}},{"name":"c","configMap":{"name":"cm","items":[{"key":"k","path":"p","mode":420}],"optional":true}},{"name":"pr","projected":{"sources":[{"secret":{"name":"s"}},{"downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"metadata.labels"}}]}}]}}],"securityContext":{"runAsUser":0,"supplementalGroups":[1,2,3]},"containers":[{"name":"c","image":"i","command":["sh","-c","exit 0"],"env":[{"name":"A","value":"b"},{"name":"S","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}],"envFrom":[{"configMapRef":{"name":"x"}}],"ports":[{"containerPort":80,"protocol":"TCP"}],"resources":{"limits":{"cpu":"250m","memory":"1Gi"},"requests":{"cpu":"0"}},"livenessProbe":{"httpGet":{"path":"/","port":"http"},"periodSeconds":3},"readinessProbe":{"tcpSocket":{"port":8080}}}]},"status":{"containerStatuses":[{"name":"c","ready":false,"restartCount":0,"image":"i","imageID":"","state":{"running":{"startedAt":"2026-01-02T03:04:05Z"}},"lastState":{}}]}}`,
	`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"replicas":0,"paused":true,"selector":{"matchExpressions":[{"key":"a","operator":"In","values":["x","y"]}]},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":1}},"template":{"metadata":{},"spec":{"containers":[]}}}}`,
	`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"a":"AAEC","empty":""},"stringData":{"x":"ÿ日本"},"type":"Opaque","immutable":false}`,
	`{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"e"},"eventTime":"2026-01-02T03:04:05.678901Z","regarding":{"kind":"Pod","name":"p"},"series":{"count":3,"lastObservedTime":"2026-01-02T03:04:05.000000Z"}}`,
	`{"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{"name":"c"},"data":{"spec":{"n":[1,2.5,null]}},"revision":9007199254740993}`,
	`{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","metadata":{},"spec":{"user":"u","groups":["g"],"extra":{"k":["a","b"]},"resourceAttributes":{"verb":"get","resource":"pods"}}}`,
	`{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"p"},"spec":{"minAvailable":"50%"},"status":{"disruptedPods":{"p":"2026-01-02T03:04:05Z"},"disruptionsAllowed":1,"currentHealthy":0,"desiredHealthy":0,"expectedPods":0}}`,
	`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p","namespace":"n"},"deleteOptions":{"gracePeriodSeconds":0,"preconditions":{"uid":"u"},"dryRun":["All"]}}`,
	`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"w.x.y"},"spec":{"group":"x.y","scope":"Namespaced","names":{"plural":"w","kind":"W","shortNames":["ww"],"categories":["all"]},"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"size":{"type":"integer","minimum":1,"maximum":2.5,"default":1,"enum":[1,2]},"tags":{"type":"array","items":{"type":"string"}},"open":{"type":"object","additionalProperties":{"type":"string"}},"shut":{"type":"object","additionalProperties":false}},"x-kubernetes-validations":[{"rule":"self.size > 0","message":"m"}]}}}},"subresources":{"status":{},"scale":{"specReplicasPath":".spec.r","statusReplicasPath":".status.r"}},"additionalPrinterColumns":[{"name":"Size","type":"integer","jsonPath":".spec.size"}]}]}}`,
}

func main() {
	known := runtime.NewScheme()
	_ = scheme.AddToScheme(known)
	_ = apiextensions.AddToScheme(known)
	reader := kjson.NewSerializerWithOptions(kjson.DefaultMetaFactory, known, known, kjson.SerializerOptions{})
	writer := protobuf.NewSerializer(known, known)
	out := []map[string]any{}
	for _, text := range objects {
		obj, gvk, err := reader.Decode([]byte(text), nil, nil)
		if err != nil {
			panic(text[:60] + err.Error())
		}
		obj.GetObjectKind().SetGroupVersionKind(*gvk)
		var packed, plain bytes.Buffer
		if err := writer.Encode(obj, &packed); err != nil {
			panic(err)
		}
		_ = reader.Encode(obj, &plain)
		out = append(out, map[string]any{"protobuf": packed.Bytes(), "json": json.RawMessage(plain.Bytes())})
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	_ = encoder.Encode(out)
}
