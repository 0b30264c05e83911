// Prints, as JSON, how Kubernetes' messages look in protobuf: for each kind its message, for each message its
// fields by number. Made from the struct tags of Kubernetes' API types. To renew ktui's table, in this folder:
//
//	go run . | gzip -9n > ../../ktui/engine/api/protobuf.json.gz
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	aggregator "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// field is [number, JSON name ("" for inlined), shape, type, keep zero]. Shapes: "" one, "l" list, "m" map.
type field [5]any

var special = map[reflect.Type]string{
	reflect.TypeFor[metav1.Time]():                                "time",
	reflect.TypeFor[metav1.MicroTime]():                           "microtime",
	reflect.TypeFor[metav1.Duration]():                            "duration",
	reflect.TypeFor[resource.Quantity]():                          "quantity",
	reflect.TypeFor[intstr.IntOrString]():                         "intorstring",
	reflect.TypeFor[runtime.RawExtension]():                       "raw",
	reflect.TypeFor[metav1.FieldsV1]():                            "raw",
	reflect.TypeFor[apiextensions.JSON]():                         "raw",
	reflect.TypeFor[apiextensions.JSONSchemaPropsOrBool]():        "schemaorbool",
	reflect.TypeFor[apiextensions.JSONSchemaPropsOrArray]():       "schemaorarray",
	reflect.TypeFor[apiextensions.JSONSchemaPropsOrStringArray](): "schemaorstrings",
}

var messages = map[string][]field{}

func name(t reflect.Type) string {
	host, rest, _ := strings.Cut(t.PkgPath(), "/")
	parts := strings.Split(host, ".")
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, ".") + "." + strings.ReplaceAll(rest, "/", ".") + "." + t.Name()
}

func typeOf(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if found, ok := special[t]; ok {
		if strings.HasPrefix(found, "schema") {
			message(reflect.TypeFor[apiextensions.JSONSchemaProps]())
		}
		return found
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32, reflect.Int64, reflect.Int, reflect.Uint32, reflect.Uint64:
		return "int"
	case reflect.Float64:
		return "double"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "strings" // a named list is a message of its own
	case reflect.Struct:
		return message(t)
	}
	panic(t.String())
}

func message(t reflect.Type) string {
	named := name(t)
	if _, done := messages[named]; done {
		return named
	}
	messages[named] = []field{}
	fields := []field{}
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("protobuf"), ",")
		if len(tag) < 3 {
			continue
		}
		var number int
		_ = json.Unmarshal([]byte(tag[1]), &number)
		jsonName, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if jsonName == "-" {
			continue
		}
		if jsonName == "" && !f.Anonymous {
			jsonName = f.Name
		}
		ft, shape := f.Type, ""
		keep := ft.Kind() == reflect.Pointer || !strings.Contains(options, "omit")
		if ft.Kind() == reflect.Slice && (ft.Name() == "" || tag[2] == "rep") && ft.Elem().Kind() != reflect.Uint8 {
			ft, shape = ft.Elem(), "l"
		} else if ft.Kind() == reflect.Map {
			ft, shape = ft.Elem(), "m"
		}
		if _, isSpecial := special[f.Type]; isSpecial {
			ft, shape = f.Type, ""
		}
		fields = append(fields, field{number, jsonName, shape, typeOf(ft), keep})
	}
	messages[named] = fields
	return named
}

func main() {
	known := runtime.NewScheme()
	_ = scheme.AddToScheme(known)
	_ = apiextensions.AddToScheme(known)
	_ = aggregator.AddToScheme(known)
	kinds := map[string]string{}
	for gvk, t := range known.AllKnownTypes() {
		if gvk.Version == "__internal" || gvk.Kind == "WatchEvent" || strings.HasSuffix(gvk.Kind, "List") {
			continue
		}
		kinds[gvk.GroupVersion().String()+"/"+gvk.Kind] = message(t)
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"kinds": kinds, "messages": messages}); err != nil {
		panic(err)
	}
}
