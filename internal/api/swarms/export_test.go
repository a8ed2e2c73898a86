package swarms

import (
	"reflect"
	"strings"
)

// FieldNames lists the fields of an AgentSpec that are decoded.
func FieldNames() []string {
	var names []string
	for of, i := reflect.TypeFor[agentIn](), 0; i < of.NumField(); i++ {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
