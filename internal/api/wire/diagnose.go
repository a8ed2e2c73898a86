package wire

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"errand/internal/problem"
)

// maxFaults bounds how many wrong fields one answer lists.
const maxFaults = 20

// diagnose finds out what is wrong with a body that could not be read into a
// struct: the first fault of its text, or else every field that does not fit.
func diagnose(body []byte, into any, strict bool, cause error) error {
	if err := checkText(body); err != nil {
		return err
	}
	d := diagnosis{strict: strict, faults: map[string]string{}}
	d.value("", body, reflect.TypeOf(into).Elem())
	if len(d.faults) > 0 {
		return problem.InvalidFields(d.faults)
	}
	// Unreachable as far as is known; the pointer is still better than nothing.
	path := "body"
	var semantic *jsonv2.SemanticError
	if errors.As(cause, &semantic) && semantic.JSONPointer != "" {
		path = pathOf(semantic.JSONPointer)
	}
	return problem.Invalid(path, "has a value that is not possible here").Because(cause)
}

// miscased reports the unknown keys that differ from a known one by their case
// alone. To pass over those would be to do something else than what was asked.
func miscased(body []byte, into any) error {
	d := diagnosis{sound: true, faults: map[string]string{}}
	d.value("", body, reflect.TypeOf(into).Elem())
	if len(d.faults) > 0 {
		return problem.InvalidFields(d.faults)
	}
	return nil
}

// checkText reports the first fault of the JSON text itself.
func checkText(body []byte) error {
	if !utf8.Valid(body) {
		at := 0
		for at < len(body) {
			r, size := utf8.DecodeRune(body[at:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			at += size
		}
		return problem.Invalid("body", "is not valid UTF-8 at byte %d", at)
	}
	var raw jsontext.Value
	err := jsonv2.Unmarshal(body, &raw)
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &syntax):
		return problem.Invalid("body", "is not valid JSON").Because(err)
	case errors.Is(err, jsontext.ErrDuplicateName):
		return problem.Invalid(pathOf(syntax.JSONPointer), "is there twice: keep one of them")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problem.Invalid("body", "ends too early, at byte %d: send all of it", len(body))
	}
	return problem.Invalid("body", "is not valid JSON at byte %d: %v", syntax.ByteOffset, syntax.Err)
}

// pathOf spells a JSON pointer as errors do: /tools/0/name is tools[0].name.
func pathOf(pointer jsontext.Pointer) string {
	path := ""
	for token := range pointer.Tokens() {
		if token != "" && strings.Trim(token, "0123456789") == "" {
			path += "[" + token + "]"
		} else {
			path = join(path, token)
		}
	}
	return orBody(path)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func orBody(path string) string {
	if path == "" {
		return "body"
	}
	return path
}

// diagnosis walks a value and the type that it should have side by side.
type diagnosis struct {
	strict bool
	sound  bool // all values are known to fit: only names can be wrong
	faults map[string]string
}

func (d *diagnosis) fault(path, format string, args ...any) {
	if len(d.faults) < maxFaults {
		d.faults[orBody(path)] = fmt.Sprintf(format, args...)
	}
}

// value compares one value with its type. Null fits everything: it means absent.
func (d *diagnosis) value(path string, value jsontext.Value, want reflect.Type) {
	kind := value.Kind()
	for want.Kind() == reflect.Pointer {
		want = want.Elem()
	}
	switch {
	case kind == 'n' || want.Kind() == reflect.Interface:
	case readsItself(want):
		d.leaf(path, value, want)
	case want.Kind() == reflect.Struct && kind == '{':
		d.object(path, value, want)
	case want.Kind() == reflect.Map && kind == '{':
		d.members(value, func(name string, member jsontext.Value) { d.value(join(path, name), member, want.Elem()) })
	case want.Kind() == reflect.Slice && want.Elem().Kind() != reflect.Uint8 && kind == '[':
		d.elements(path, value, want.Elem())
	default:
		d.leaf(path, value, want)
	}
}

// leaf tries the value by itself.
func (d *diagnosis) leaf(path string, value jsontext.Value, want reflect.Type) {
	if d.sound {
		return
	}
	err := jsonv2.Unmarshal(value, reflect.New(want).Interface(), jsonv2.RejectUnknownMembers(d.strict))
	var own *problem.Error
	switch {
	case err == nil:
	case errors.As(err, &own):
		d.fault(path, "%s", own.Detail)
	case isWhole(want) && value.Kind() == '0':
		d.fault(path, "must be a whole number of usual size, not %.40s", value)
	default:
		d.fault(path, "must be %s, not %s", wanted(want), given(value.Kind()))
	}
}

func (d *diagnosis) object(path string, value jsontext.Value, want reflect.Type) {
	fields := map[string]reflect.Type{}
	listFields(want, fields)
	d.members(value, func(name string, member jsontext.Value) {
		if field, known := fields[name]; known {
			d.value(join(path, name), member, field)
		} else if len(d.faults) < maxFaults {
			d.unknown(join(path, name), name, slices.Collect(maps.Keys(fields)))
		}
	})
}

// unknown is about a key that no field has.
func (d *diagnosis) unknown(path, name string, fields []string) {
	if d.strict {
		d.fault(path, "%s", unknown("field", name, fields))
		return
	}
	for _, field := range fields {
		if strings.EqualFold(field, name) {
			d.fault(path, "is not known in this spelling: write %s", field)
		}
	}
}

// listFields names a struct's fields as JSON does, those of embedded structs
// included.
func listFields(of reflect.Type, into map[string]reflect.Type) {
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-":
		case field.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			listFields(inner, into)
		case !field.IsExported():
		case name == "":
			into[field.Name] = field.Type
		default:
			into[name] = field.Type
		}
	}
}

// members calls do for each member of an object that is known to be well-formed.
func (d *diagnosis) members(object jsontext.Value, do func(name string, member jsontext.Value)) {
	var members map[string]jsontext.Value
	if jsonv2.Unmarshal(object, &members) != nil {
		return
	}
	for name, member := range members {
		do(name, member)
	}
}

func (d *diagnosis) elements(path string, array jsontext.Value, want reflect.Type) {
	var elements []jsontext.Value
	if jsonv2.Unmarshal(array, &elements) != nil {
		return
	}
	for i, element := range elements {
		d.value(fmt.Sprintf("%s[%d]", path, i), element, want)
	}
}

// readsItself reports whether a type parses its own JSON.
func readsItself(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return pointer.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		pointer.Implements(reflect.TypeFor[jsonv2.UnmarshalerFrom]()) ||
		pointer.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func isWhole(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uintptr }

// wanted says in words what a type takes.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "a time such as 2026-06-11T07:02:11Z"
	case isWhole(t):
		return "a whole number"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "another value"
}

// given says in words what came.
func given(kind jsontext.Kind) string {
	switch kind {
	case '"':
		return "this string"
	case '0':
		return "a number"
	case 't', 'f':
		return "true or false"
	case '[':
		return "an array"
	case '{':
		return "an object"
	}
	return "null"
}
